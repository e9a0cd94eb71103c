using System.Text;
using EventBus.Transports;

namespace EventBus;

/// <summary>Texts that nearly every entry has in common, made once: the names of events, and where they come from. Thread-safe; keeps as many as it has places for.</summary>
internal sealed class RedisStringCache
{
    private const int Places = 64;
    private const int MaxLength = 200;

    private readonly Known?[] known = new Known?[Places];

    /// <summary>The text of some bytes.</summary>
    public string Get(ReadOnlySpan<byte> utf8) => Find(utf8).Text;

    /// <summary>The text of some bytes if it is an event name; otherwise null.</summary>
    public string? GetEventName(ReadOnlySpan<byte> utf8) => Find(utf8) is { IsEventName: true, Text: var text } ? text : null;

    public static bool IsEventName(string text) => text.Contains('.', StringComparison.Ordinal) && EventPattern.TryParse(text, out var name) && name.IsExact;

    private Known Find(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty || utf8.Length > MaxLength)
        {
            return new Known(Encoding.UTF8.GetString(utf8));
        }

        ref var place = ref known[(utf8.Length + (31 * utf8[^1]) + utf8[utf8.Length / 2]) & (Places - 1)];
        if (place is { } there && Ascii.Equals(utf8, there.Text))
        {
            return there;
        }

        return place = new Known(Encoding.UTF8.GetString(utf8));
    }

    private sealed class Known(string text)
    {
        public string Text => text;

        public bool IsEventName { get; } = RedisStringCache.IsEventName(text);
    }
}
