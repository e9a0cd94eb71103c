using System.Text;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Caches strings that nearly all entries have in common: event names and sources. Thread-safe; keeps at most 64
/// strings of at most 200 bytes each.
/// </summary>
/// <remarks>A string with a character that is not ASCII is correct, but is created again at each call.</remarks>
internal sealed class RedisStringCache
{
    private const int SlotCount = 64;
    private const int MaxBytes = 200;

    private readonly CachedString?[] slots = new CachedString?[SlotCount];

    /// <summary>Returns the string of some UTF-8 bytes, without creating a new string if it is cached.</summary>
    public string Get(ReadOnlySpan<byte> utf8) => Find(utf8).Text;

    /// <summary>Returns the string of some UTF-8 bytes if it is an event name; otherwise null.</summary>
    public string? GetEventName(ReadOnlySpan<byte> utf8)
    {
        var found = Find(utf8);
        return found.IsEventName ? found.Text : null;
    }

    public static bool IsEventName(string text) =>
        text.Contains('.', StringComparison.Ordinal) && EventPattern.TryParse(text, out var name) && name.IsExact;

    private CachedString Find(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty || utf8.Length > MaxBytes)
        {
            return new CachedString(Encoding.UTF8.GetString(utf8));
        }

        // A fast hash of the length and two bytes. A collision replaces the cached string.
        var hash = utf8.Length + (31 * utf8[^1]) + utf8[utf8.Length / 2];
        ref var slot = ref slots[hash & (SlotCount - 1)];
        var cached = slot;
        if (cached is not null && Ascii.Equals(utf8, cached.Text))
        {
            return cached;
        }

        var created = new CachedString(Encoding.UTF8.GetString(utf8));
        slot = created;
        return created;
    }

    private sealed class CachedString(string text)
    {
        public string Text => text;

        public bool IsEventName { get; } = RedisStringCache.IsEventName(text);
    }
}
