using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>The failure settings of one subscription: its name, its ordering and its retries. Immutable.</summary>
internal sealed record FailurePolicy(string Subscription, bool Ordered, RetryPolicy Retry)
{
    /// <summary>True if a dead letter does not block the later events of its key.</summary>
    public bool ContinueWhenBlocked { get; init; }

    /// <summary>True if the subscription has order guards.</summary>
    public bool Guarded { get; init; }

    /// <summary>
    /// Creates the entry of an event that the store does not have yet. Events without a key share one line and one
    /// order, those of the empty key.
    /// </summary>
    /// <param name="envelope">The event.</param>
    /// <param name="attempts">The number of attempts.</param>
    /// <param name="status">The status of the entry.</param>
    /// <param name="now">The time of the failure; by default, the recorder sets it.</param>
    public FailedEvent Fresh(
        Envelope envelope,
        int attempts,
        FailedEventStatus status = FailedEventStatus.Waiting,
        DateTimeOffset now = default) => new()
        {
            Subscription = Subscription,
            Envelope = envelope,
            FirstFailedAt = now,
            LastFailedAt = now,
            Status = status,
            LineKey = Ordered ? envelope.Key ?? "" : null,
            OrderKey = Guarded ? envelope.Key ?? "" : null,
            Attempts = attempts,
        };
}
