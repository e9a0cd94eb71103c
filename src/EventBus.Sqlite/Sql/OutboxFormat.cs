using System.Buffers.Binary;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Serializes the events that a handler published into one value. Each event consists of the length of its attributes,
/// the attributes, the length of its body, and the body. Lengths are 32-bit little-endian integers.
/// </summary>
internal static class OutboxFormat
{
    /// <summary>Serializes the events; returns null if there are none.</summary>
    public static byte[]? Write(IReadOnlyList<Envelope> outbox)
    {
        if (outbox.Count == 0)
        {
            return null;
        }

        using var stream = new MemoryStream();
        foreach (var envelope in outbox)
        {
            WritePart(stream, StoreFormat.WriteAttributes(envelope));
            WritePart(stream, envelope.Body.Span);
        }

        return stream.ToArray();
    }

    /// <summary>
    /// Reads the events. Data that cannot be read becomes a placeholder event that says so, with <paramref name="key"/>
    /// as its id.
    /// </summary>
    public static IReadOnlyList<Envelope> Read(byte[] outbox, string key)
    {
        var events = new List<Envelope>();
        for (ReadOnlySpan<byte> rest = outbox; rest.Length > 0;)
        {
            if (!TryReadPart(ref rest, out var attributes) || !TryReadPart(ref rest, out var body))
            {
                events.Add(new Envelope(new EnvelopeAttributes { Id = key, Name = "unreadable.outbox", Defect = "The stored events that the handler published cannot be read." }, rest.ToArray()));
                break;
            }

            events.Add(StoreFormat.Read(attributes, body.ToArray(), key, "unreadable.outbox"));
        }

        return events;
    }

    private static void WritePart(MemoryStream stream, ReadOnlySpan<byte> part)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, part.Length);
        stream.Write(length);
        stream.Write(part);
    }

    private static bool TryReadPart(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> part)
    {
        part = default;
        if (!BinaryPrimitives.TryReadInt32LittleEndian(rest, out var length) || length < 0 || length > rest.Length - sizeof(int))
        {
            return false;
        }

        part = rest.Slice(sizeof(int), length);
        rest = rest[(sizeof(int) + length)..];
        return true;
    }
}
