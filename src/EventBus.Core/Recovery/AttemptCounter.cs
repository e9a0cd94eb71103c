using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Counts the attempts of redelivered events in the store, each before it begins: an event that ends its process in
/// every attempt must become a dead letter. Thread-safe.
/// </summary>
internal sealed class AttemptCounter(FailureStoreWriter writer, FailureRecorder recorder, BusServices services)
{
    /// <summary>
    /// Transfers an event that may have ended its process to the store, if the store counts attempts by its own
    /// redeliveries (a queue of a broker).
    /// </summary>
    /// <returns>
    /// True if the event is stored, as waiting or as a dead letter: its delivery can be acknowledged. False if the
    /// attempts are counted with <see cref="CountAsync"/> instead.
    /// </returns>
    public async Task<bool> TryTakeRedeliveredAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots)
    {
        var now = services.StoreTime.GetUtcNow();
        var entry = policy.Fresh(envelope, attempts: 1, now: now) with { DueAt = now };
        try
        {
            return await writer.TakeRedeliveredAsync(entry, slots);
        }
        catch (StoreRefusedException exception)
        {
            return await recorder.RecordAsync(policy, entry, Rejected.Unstorable(exception), slots);
        }
    }

    /// <summary>Counts attempts of an event that may have ended its process.</summary>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="added">The attempts to add.</param>
    /// <param name="slots">
    /// The limiter in which the caller holds a slot. The slot is free for others while the store accepts no writes.
    /// </param>
    /// <param name="stored">
    /// Set when the count is stored or refused; this may be long before the caller has a slot again.
    /// </param>
    /// <returns>
    /// The new count. Null if the event needs no further attempt: it was recorded as failed before, or it has become a
    /// dead letter because the store refuses to count its attempts.
    /// </returns>
    public async Task<AttemptCount?> CountAsync(
        FailurePolicy policy,
        Envelope envelope,
        AttemptCount added,
        ConcurrencyLimiter slots,
        TaskCompletionSource? stored = null)
    {
        try
        {
            return await writer.CountAttemptAsync(policy, envelope, added, slots, stored);
        }
        catch (StoreRefusedException exception)
        {
            stored?.TrySetResult();

            // An event whose attempts are not counted might end the process again and again, so it is not attempted.
            await recorder.RecordAsync(policy, policy.Fresh(envelope, attempts: 1), Rejected.Unstorable(exception), slots);
            return null;
        }
    }

    /// <summary>Records that the running attempt, which is already counted, became a concurrent one.</summary>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="stored">Set when it is stored; this may be long before the caller has a slot again.</param>
    public Task MarkConcurrentAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots, TaskCompletionSource stored) =>
        writer.TryCountAttemptAsync(policy, envelope, new AttemptCount(Attempts: 0, Concurrent: 1), slots, stored);

    /// <summary>Records that the running attempt of a claimed entry became a concurrent one.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="stored">Set when it is stored; this may be long before the caller has a slot again.</param>
    public Task MarkConcurrentAsync(FailedEvent entry, ConcurrencyLimiter slots, TaskCompletionSource stored) =>
        writer.TryBeginAttemptAsync(entry with { Concurrent = entry.Concurrent + 1 }, slots, stored);

    /// <summary>Counts the next attempt of a claimed entry that may have ended its process.</summary>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="entry">The entry, including the next attempt.</param>
    /// <param name="slots">
    /// The limiter in which the caller holds a slot. The slot is free for others while the store accepts no writes.
    /// </param>
    /// <param name="stored">
    /// Set when the count is stored or refused; this may be long before the caller has a slot again.
    /// </param>
    /// <returns>
    /// False if the attempt must not begin: another instance has claimed the entry, or the entry has become a dead
    /// letter because the store refuses to count its attempts.
    /// </returns>
    public async Task<bool> BeginAsync(FailurePolicy policy, FailedEvent entry, ConcurrencyLimiter slots, TaskCompletionSource stored)
    {
        try
        {
            return await writer.BeginAttemptAsync(entry, slots, stored);
        }
        catch (StoreRefusedException exception)
        {
            stored.TrySetResult();

            // The entry includes the next attempt, which is not made.
            await recorder.RecordAsync(policy, entry with { Attempts = entry.Attempts - 1 }, Rejected.Unstorable(exception), slots);
            return false;
        }
    }

    /// <summary>Removes the attempt count of an event that was handled.</summary>
    public Task ForgetAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots) =>
        writer.TryForgetAttemptsAsync(policy, envelope, slots);
}
