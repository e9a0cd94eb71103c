using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace EventBus;

/// <summary>
/// Caches texts that nearly all records have in common: event names, sources and media types. Thread-safe; keeps at
/// most 64 texts of at most 200 bytes each.
/// </summary>
/// <remarks>A text with a character that is not ASCII is correct, but is created again at each call.</remarks>
internal sealed class KafkaTextCache
{
    private const int SlotCount = 64;
    private const int MaxLength = 200;

    private readonly CachedText?[] slots = new CachedText?[SlotCount];

    /// <summary>Reads a text without creating it again if it is cached; false if the bytes are no UTF-8.</summary>
    public bool TryRead(byte[] bytes, [NotNullWhen(true)] out string? text)
    {
        if (bytes.Length is 0 or > MaxLength)
        {
            return KafkaText.TryRead(bytes, out text);
        }

        ref var slot = ref slots[SlotOf(bytes.Length, bytes[^1], bytes[bytes.Length / 2])];
        if (slot is { } cached && Ascii.Equals(bytes, cached.Text))
        {
            text = cached.Text;
            return true;
        }

        if (!KafkaText.TryRead(bytes, out text))
        {
            return false;
        }

        slot = new CachedText(text);
        return true;
    }

    /// <summary>True if a text can be an event name. Cheap for a text that this cache has returned.</summary>
    public bool IsName(string text)
    {
        if (text.Length is > 0 and <= MaxLength)
        {
            var cached = slots[SlotOf(text.Length, text[^1], text[text.Length / 2])];
            if (ReferenceEquals(cached?.Text, text))
            {
                return cached.IsName;
            }
        }

        return KafkaEventNaming.IsName(text);
    }

    // A fast hash of the length and two characters. A collision replaces the cached text.
    private static int SlotOf(int length, int last, int middle) => (length + (31 * last) + middle) & (SlotCount - 1);

    private sealed class CachedText(string text)
    {
        public string Text => text;

        public bool IsName { get; } = KafkaEventNaming.IsName(text);
    }
}
