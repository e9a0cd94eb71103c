using System.Text;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Caches strings that nearly all entries have in common: event names and sources. Thread-safe; keeps at most 64
/// strings of at most 200 bytes each.
/// </summary>
internal sealed class RedisStringCache
{
    private const int Slots = 64;
    private const int MaxLength = 200;

    private readonly Known?[] known = new Known?[Slots];

    /// <summary>Returns the string of some UTF-8 bytes, without creating a new string if it is cached.</summary>
    public string Get(ReadOnlySpan<byte> utf8) => Find(utf8).Text;

    /// <summary>Gets the string of UTF-8 bytes if it is an event name; otherwise null.</summary>
    public string? GetEventName(ReadOnlySpan<byte> utf8) => Find(utf8) is { IsEventName: true, Text: var text } ? text : null;

    public static bool IsEventName(string text) =>
        text.Contains('.', StringComparison.Ordinal) && EventPattern.TryParse(text, out var name) && name.IsExact;

    private Known Find(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty || utf8.Length > MaxLength)
        {
            return new Known(Encoding.UTF8.GetString(utf8));
        }

        // A fast hash of the length and two bytes. A collision replaces the cached string.
        ref var slot = ref known[(utf8.Length + (31 * utf8[^1]) + utf8[utf8.Length / 2]) & (Slots - 1)];
        if (slot is { } cached && Ascii.Equals(utf8, cached.Text))
        {
            return cached;
        }

        return slot = new Known(Encoding.UTF8.GetString(utf8));
    }

    private sealed class Known(string text)
    {
        public string Text => text;

        public bool IsEventName { get; } = RedisStringCache.IsEventName(text);
    }
}
