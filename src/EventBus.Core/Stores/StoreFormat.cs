using System.Buffers;
using System.Globalization;
using System.Text.Json;
using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>
/// Defines the common format of events in durable stores: the attributes as JSON, stored next to the body. Reads never
/// throw because of stored data.
/// </summary>
/// <remarks>
/// Events that are read have <see cref="Envelope.FromHandler"/> set: if the bus publishes them, it must not wait for
/// capacity.
/// </remarks>
public static class StoreFormat
{
    /// <summary>Writes the attributes of an event as JSON (UTF-8).</summary>
    /// <param name="envelope">The event.</param>
    public static byte[] WriteAttributes(Envelope envelope)
    {
        ArgumentNullException.ThrowIfNull(envelope);
        return StoredAttributes.Write(envelope);
    }

    /// <summary>
    /// Reads an event. If it cannot be read, returns a placeholder with the given id, name and body, whose
    /// <see cref="Envelope.Defect"/> gives the reason.
    /// </summary>
    /// <param name="attributes">The attributes, as written by <see cref="WriteAttributes"/>.</param>
    /// <param name="body">The body. The envelope takes ownership.</param>
    /// <param name="id">
    /// The event's id, as far as the store knows it from other data, such as the key of the entry.
    /// </param>
    /// <param name="name">The event's name, as far as the store knows it from other data.</param>
    public static Envelope Read(ReadOnlySpan<byte> attributes, byte[] body, string id, string name)
    {
        ArgumentNullException.ThrowIfNull(body);
        try
        {
            return new Envelope(StoredAttributes.Read(attributes, id, name), body) { FromHandler = true };
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or FormatException or ArgumentException)
        {
            return Unreadable($"The stored attributes cannot be read: {ReadFailure.Describe(exception)}.", id, name, body);
        }
    }

    /// <summary>Writes the history of an entry as JSON (UTF-8).</summary>
    /// <param name="history">The failed attempts.</param>
    public static byte[] WriteHistory(IReadOnlyList<FailedAttempt> history)
    {
        ArgumentNullException.ThrowIfNull(history);
        return StoredHistory.Write(history);
    }

    /// <summary>Reads the history of an entry; empty if it cannot be read.</summary>
    /// <param name="history">The bytes that <see cref="WriteHistory"/> returned.</param>
    public static IReadOnlyList<FailedAttempt> ReadHistory(ReadOnlySpan<byte> history) => StoredHistory.Read(history);

    /// <summary>
    /// Writes several events into one value. Each event consists of the length of its attributes, the attributes, the
    /// length of its body, and the body. Lengths are 32-bit little-endian integers.
    /// </summary>
    /// <param name="events">The events, in their order.</param>
    public static byte[] WriteOutbox(IReadOnlyList<Envelope> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        var buffer = new ArrayBufferWriter<byte>(256);
        foreach (var envelope in events)
        {
            LengthPrefixed.Write(buffer, WriteAttributes(envelope));
            LengthPrefixed.Write(buffer, envelope.Body.Span);
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>
    /// Reads several events. Data that cannot be read becomes a placeholder event
    /// (<see cref="CloudEventAttributes.UnreadableType"/>), with all remaining bytes as its body.
    /// </summary>
    /// <param name="outbox">The bytes that <see cref="WriteOutbox"/> returned.</param>
    /// <param name="owner">The owner of the events, whose name becomes part of the placeholder's id.</param>
    public static IReadOnlyList<Envelope> ReadOutbox(ReadOnlySpan<byte> outbox, string owner)
    {
        ArgumentNullException.ThrowIfNull(owner);
        var events = new List<Envelope>();
        var rest = outbox;
        while (!rest.IsEmpty)
        {
            var id = $"{owner}/{events.Count.ToString(CultureInfo.InvariantCulture)}";
            var afterEvent = rest;
            if (!LengthPrefixed.TryRead(ref afterEvent, out var attributes) || !LengthPrefixed.TryRead(ref afterEvent, out var body))
            {
                events.Add(
                    Unreadable("The stored event is cut off or was changed.", id, CloudEventAttributes.UnreadableType, rest.ToArray()));
                break;
            }

            events.Add(Read(attributes, body.ToArray(), id, CloudEventAttributes.UnreadableType));
            rest = afterEvent;
        }

        return events;
    }

    private static Envelope Unreadable(string defect, string id, string name, byte[] body) =>
        new(new EnvelopeAttributes { Id = id, Name = name, Defect = defect }, body) { FromHandler = true };
}
