using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Counts the attempts of redelivered events durably, before each begins: such an event may have ended its process.
/// Thread-safe.
/// </summary>
internal sealed class AttemptCounter(FailureStoreWriter writer, FailureRecorder recorder, BusServices services)
{
    /// <summary>
    /// Transfers an event that may have ended its process to the store, if the store has its own way to count attempts.
    /// </summary>
    public async Task<bool> TryTakeRedeliveredAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots)
    {
        var now = services.StoreTime.GetUtcNow();
        var entry = policy.Fresh(envelope, starts: 1, now: now) with { DueAt = now };
        var taken = false;
        try
        {
            await writer.WriteAsync(entry, slots, async (store, cancel) => taken = await store.TryTakeRedeliveredAsync(entry, cancel));
            return taken;
        }
        catch (StoreRefusedException exception)
        {
            return await recorder.RecordAsync(policy, entry, Rejected.Unstorable(exception), slots);
        }
    }

    /// <summary>
    /// Counts attempts of an event that may have ended its process. Null: it is already recorded as failed and needs no
    /// further attempt.
    /// </summary>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="added">The attempts to add.</param>
    /// <param name="slots">
    /// The limiter in which the caller holds a slot, which is lent while the store accepts no writes.
    /// </param>
    /// <param name="counted">
    /// Called when the count is stored or refused; this may be long before the caller has a slot again.
    /// </param>
    public async Task<AttemptCount?> CountAsync(
        FailurePolicy policy,
        Envelope envelope,
        AttemptCount added,
        ConcurrencyLimiter slots,
        Action? counted = null)
    {
        AttemptCount? count = null;
        try
        {
            await writer.WriteAsync(policy, envelope, slots, async (_, cancel) =>
            {
                count = await writer.Keyed.CountAttemptAsync(
                    policy.Subscription,
                    envelope.Id,
                    added,
                    services.StoreTime.GetUtcNow(),
                    cancel);
                counted?.Invoke();
            });
        }
        catch (StoreRefusedException exception)
        {
            counted?.Invoke();

            // Without a count, it might end the process again and again.
            await recorder.RecordAsync(policy, policy.Fresh(envelope, starts: 1), Rejected.Unstorable(exception), slots);
        }

        return count;
    }

    /// <summary>Records that the running attempt, which is already counted, became a concurrent one.</summary>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="kept">Called when it is stored; this may be long before the caller has a slot again.</param>
    public Task MarkConcurrentAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots, Action kept) =>
        writer.TryWriteAsync(policy, envelope, slots, async (_, cancel) =>
        {
            await writer.Keyed.CountAttemptAsync(
                policy.Subscription,
                envelope.Id,
                new AttemptCount(0, 1),
                services.StoreTime.GetUtcNow(),
                cancel);
            kept();
        });

    /// <summary>Records that the running attempt of a claimed entry became a concurrent one.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="kept">Called when it is stored; this may be long before the caller has a slot again.</param>
    public Task MarkConcurrentAsync(FailedEvent entry, ConcurrencyLimiter slots, Action kept) =>
        writer.TryWriteAsync(entry, slots, async (store, cancel) =>
        {
            await store.BeginAsync(entry with { Concurrent = entry.Concurrent + 1 }, cancel);
            kept();
        });

    /// <summary>
    /// Counts the next attempt of a claimed entry that may have ended its process. Returns false if another instance
    /// has claimed the entry, or if the entry became a dead letter because its attempts cannot be counted.
    /// </summary>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="entry">The entry, including the next attempt.</param>
    /// <param name="slots">
    /// The limiter in which the caller holds a slot, which is lent while the store accepts no writes.
    /// </param>
    /// <param name="counted">
    /// Called when the count is stored or refused; this may be long before the caller has a slot again.
    /// </param>
    public async Task<bool> BeginAsync(FailurePolicy policy, FailedEvent entry, ConcurrencyLimiter slots, Action counted)
    {
        var held = false;
        try
        {
            await writer.WriteAsync(entry, slots, async (store, cancel) =>
            {
                held = await store.BeginAsync(entry, cancel);
                counted();
            });
        }
        catch (StoreRefusedException exception)
        {
            counted();
            await recorder.RecordAsync(policy, entry with { Attempts = entry.Attempts - 1 }, Rejected.Unstorable(exception), slots);
        }

        return held;
    }

    /// <summary>Removes the attempt count of an event that was handled.</summary>
    public Task ForgetAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots) =>
        !writer.IsKeyed ? Task.CompletedTask : writer.TryWriteAsync(
            policy,
            envelope,
            slots,
            (_, cancel) => writer.Keyed.ForgetAttemptsAsync(policy.Subscription, envelope.Id, cancel));
}
