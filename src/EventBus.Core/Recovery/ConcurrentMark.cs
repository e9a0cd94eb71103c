using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Stores that the attempt of one redelivered event, which is already counted, became concurrent
/// (<see cref="AttemptCount.Concurrent"/>).
/// </summary>
internal sealed class ConcurrentMark(AttemptCounter attempts, FailurePolicy policy, Envelope envelope)
{
    /// <summary>The claimed entry of the event; null for a delivery.</summary>
    public FailedEvent? Entry { get; init; }

    /// <summary>Writes the mark to the store.</summary>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="stored">Set when it is stored; this may be long before the caller has a slot again.</param>
    public Task WriteAsync(ConcurrencyLimiter slots, TaskCompletionSource stored) => Entry is not null
        ? attempts.MarkConcurrentAsync(Entry, slots, stored)
        : attempts.MarkConcurrentAsync(policy, envelope, slots, stored);
}
