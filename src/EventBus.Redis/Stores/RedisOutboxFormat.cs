using System.Buffers.Binary;
using System.Globalization;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Serializes several events into one value. Each event consists of the length of its attributes, the attributes, the
/// length of its body, and the body. Lengths are 32-bit little-endian integers.
/// </summary>
internal static class RedisOutboxFormat
{
    public static byte[] Write(IReadOnlyList<Envelope> events)
    {
        using var buffer = new MemoryStream();
        foreach (var envelope in events)
        {
            Append(buffer, StoreFormat.WriteAttributes(envelope));
            Append(buffer, envelope.Body.Span);
        }

        return buffer.ToArray();
    }

    /// <summary>
    /// Reads events; never throws. Data that cannot be read becomes a placeholder event, with all remaining bytes as
    /// its body.
    /// </summary>
    /// <param name="value">A value that <see cref="Write"/> returned.</param>
    /// <param name="owner">The owner of the events, whose name becomes part of the placeholder's id.</param>
    public static IReadOnlyList<Envelope> Read(byte[] value, string owner)
    {
        var events = new List<Envelope>();
        var rest = value.AsSpan();
        while (!rest.IsEmpty)
        {
            var id = $"{owner}/{events.Count.ToString(CultureInfo.InvariantCulture)}";
            var next = rest;
            if (!TryTake(ref next, out var attributes) || !TryTake(ref next, out var body))
            {
                events.Add(new Envelope(new EnvelopeAttributes { Id = id, Name = RedisFailureFormat.Nameless, Defect = "The stored event is cut off or was changed." }, rest.ToArray()));
                break;
            }

            events.Add(StoreFormat.Read(attributes, body.ToArray(), id, RedisFailureFormat.Nameless));
            rest = next;
        }

        return events;
    }

    private static void Append(MemoryStream buffer, ReadOnlySpan<byte> part)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, part.Length);
        buffer.Write(length);
        buffer.Write(part);
    }

    private static bool TryTake(ref Span<byte> rest, out Span<byte> part)
    {
        part = default;
        if (rest.Length < sizeof(int) || BinaryPrimitives.ReadInt32LittleEndian(rest) is var length && (length < 0 || length > rest.Length - sizeof(int)))
        {
            return false;
        }

        part = rest.Slice(sizeof(int), length);
        rest = rest[(sizeof(int) + length)..];
        return true;
    }
}
