using EventBus.Stores;

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
}
