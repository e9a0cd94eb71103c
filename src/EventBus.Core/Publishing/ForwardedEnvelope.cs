using System.Runtime.InteropServices;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Creates the copy of an event that is sent to another bus: the same bytes and attributes, with the mark of its way.
/// </summary>
/// <remarks>
/// The mark is a header with the names of the buses that have forwarded the event. It is kept on every backend, so that
/// loops through other processes are found too.
/// </remarks>
internal static class ForwardedEnvelope
{
    /// <summary>The header that contains the mark. Publishers cannot set it.</summary>
    public const string Header = "eventbus.forwarded-by";

    /// <summary>The maximum number of times that an event is forwarded.</summary>
    public const int MaxHops = 8;

    // Not a part of the name of any bus.
    private const char Separator = ',';

    /// <summary>Creates the envelope for the other bus.</summary>
    /// <param name="received">The event as it was received.</param>
    /// <param name="bus">The name of the bus that forwards it.</param>
    /// <exception cref="PublishException">
    /// The bus has forwarded the event before, or the event cannot be forwarded.
    /// </exception>
    public static Envelope Create(Envelope received, string bus)
    {
        var mark = MarkAfter(received, bus);
        var created = new Envelope(
            new EnvelopeAttributes
            {
                Id = received.Id,
                Name = received.Name,
                Version = received.Version,
                Key = received.Key,
                Time = received.Time,
                Headers = new Dictionary<string, string>(received.Headers, StringComparer.Ordinal) { [Header] = mark },
                CorrelationId = received.OtherCorrelationId,
                CausationId = received.CausationId,
                IdIsDerived = received.IdIsDerived,
                TraceParent = received.TraceParent,
                TraceState = received.TraceState,

                // An event that was never serialized has none yet. It was published by this application.
                Source = received.Source ?? bus,
                ContentType = received.ContentType,
            },
            BytesOf(received.Body));
        return created.Defect is { } defect
            ? throw Refuse(received, $"the header '{Header}', which names the buses that have forwarded it, exceeds a limit. {defect}")
            : created;
    }

    /// <summary>Returns the mark of an event after this bus has forwarded it.</summary>
    private static string MarkAfter(Envelope received, string bus)
    {
        if (!received.Headers.TryGetValue(Header, out var mark) || mark.Length == 0)
        {
            return bus;
        }

        // A mark may come from any program, so no more of it is read than this bus writes.
        var hops = mark.Split(Separator, MaxHops + 1);
        if (hops.Contains(bus))
        {
            throw Refuse(
                received,
                $"it has come back to the bus '{bus}', which has forwarded it before. Buses forward this event in a circle, perhaps "
                    + "through another application, or the other bus uses the same server. Change a pattern, then discard the event.");
        }

        return hops.Length < MaxHops
            ? $"{mark}{Separator}{bus}"
            : throw Refuse(received, $"it has been forwarded {MaxHops} times, the maximum. Buses probably forward it in a circle.");
    }

    private static PublishException Refuse(Envelope received, string reason) =>
        new($"The event '{received.Name}' {received.Id} is not forwarded: {reason}", PublishFailure.Rejected, received.Id);

    private static byte[] BytesOf(ReadOnlyMemory<byte> body) =>
        MemoryMarshal.TryGetArray(body, out var bytes) && bytes.Offset == 0 && bytes.Array!.Length == body.Length
            ? bytes.Array
            : body.ToArray();
}
