using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>How one subscription fails: its name, its order and its retries. Immutable.</summary>
internal sealed record FailurePolicy(string Subscription, bool Ordered, RetryPolicy Retry)
{
    /// <summary>A dead letter does not hold back the later events of its key.</summary>
    public bool ContinueWhenBlocked { get; init; }

    /// <summary>A guard judges the order of events.</summary>
    public bool Guarded { get; init; }

    /// <summary>The entry of an event that the store does not know yet. Events without a key share one line, and one order.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="starts">How often its handler was started.</param>
    /// <param name="status">What becomes of it.</param>
    /// <param name="now">When that was; by default the recorder says.</param>
    public FailedEvent Fresh(Envelope envelope, int starts, FailedEventStatus status = FailedEventStatus.Waiting, DateTimeOffset now = default) => new()
    {
        Subscription = Subscription,
        Envelope = envelope,
        FirstFailedAt = now,
        LastFailedAt = now,
        Status = status,
        LineKey = Ordered ? envelope.KeyText ?? "" : null,
        OrderKey = Guarded ? envelope.KeyText ?? "" : null,
        Attempts = starts,
    };
}
