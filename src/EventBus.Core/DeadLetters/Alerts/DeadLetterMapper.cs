using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Maps entries of the failure store to dead letters, as alerts and operators see them.</summary>
internal static class DeadLetterMapper
{
    public static DeadLetter ToDeadLetter(FailedEvent entry) => new()
    {
        Id = entry.Id,
        Subscription = entry.Subscription,
        EventId = entry.Envelope.Id,
        EventName = entry.Envelope.Name,
        Key = entry.Envelope.Key,
        Headers = entry.Envelope.Headers,
        Reason = entry.Reason,
        Error = entry.Error,
        ErrorType = entry.ErrorType,
        ErrorDetails = entry.ErrorDetails,
        Attempts = entry.Attempts,
        FirstFailedAt = entry.FirstFailedAt,
        LastFailedAt = entry.LastFailedAt,
        ManualRetries = entry.ManualRetries,
        History = entry.History,
        Number = entry.Number,
        Body = BodyOf(entry),
        FullBodyLength = entry.Envelope.FullBodyLength,
    };

    /// <summary>Returns a dead letter with what is known of one that the store cannot read.</summary>
    public static DeadLetter Unreadable(PendingAlert alert) => ToDeadLetter(new FailedEvent
    {
        Subscription = alert.Subscription,
        Envelope = new Envelope(
            new EnvelopeAttributes { Id = EventIdOf(alert), Name = alert.EventName },
            []),
        Status = FailedEventStatus.Dead,
        Reason = DeadLetterReason.Unstorable,
        Error = "The store cannot read this dead letter.",
        Number = alert.Number,
    });

    private static ReadOnlyMemory<byte> BodyOf(FailedEvent entry)
    {
        try
        {
            return entry.Envelope.Body;
        }
        catch (Exception)
        {
            // A dead letter that cannot be serialized as JSON must stay visible, and must not hide the others.
            return ReadOnlyMemory<byte>.Empty;
        }
    }

    /// <summary>Gets the event id from the id of a dead letter (<see cref="FailedEvent.MakeId"/>).</summary>
    private static string EventIdOf(PendingAlert alert) => alert.Id[(alert.Id.IndexOf('~', StringComparison.Ordinal) + 1)..];
}
