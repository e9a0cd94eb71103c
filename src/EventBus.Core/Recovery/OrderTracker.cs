using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Reads and advances the state of the keys of guarded subscriptions. Thread-safe.</summary>
internal sealed class OrderTracker(FailureStoreWriter writer, WakeSignal retries, BusServices services)
{
    /// <summary>Gets the stamp and the highest settled number of a key, which a guard needs.</summary>
    /// <exception cref="StoreRefusedException">The stored state cannot be read.</exception>
    public Task<(long Stamp, long? Position)> GetAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots) =>
        writer.GetOrderAsync(policy, envelope, slots);

    /// <summary>Records that an event of a guarded key was settled: other events may continue.</summary>
    /// <exception cref="StoreRefusedException">The store cannot record it.</exception>
    public async Task AdvanceAsync(FailurePolicy policy, Envelope envelope, string orderKey, long? position, ConcurrencyLimiter slots)
    {
        if (await writer.AdvanceAsync(policy, envelope, orderKey, position, slots))
        {
            retries.Pulse();
        }
    }

    /// <summary>
    /// Lets the events with later numbers of a key continue past a dead letter. If the store cannot record that, they
    /// wait until their deadline.
    /// </summary>
    public async Task PassAsync(FailurePolicy policy, FailedEvent dead, ConcurrencyLimiter slots)
    {
        try
        {
            await AdvanceAsync(policy, dead.Envelope, dead.OrderKey!, dead.Position, slots);
        }
        catch (StoreRefusedException exception)
        {
            services.Log.StepLeftOut(dead.Subscription, dead.Envelope.Name, dead.Envelope.Id, exception);
        }
    }

    /// <summary>
    /// Lets the events with later numbers continue past an event that is already recorded as a dead letter, if it is
    /// one that they pass.
    /// </summary>
    public async Task PassRecordedAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots)
    {
        if (!policy.ContinueWhenBlocked || !policy.Guarded)
        {
            return;
        }

        var dead = await writer.TryFindDeadLetterAsync(policy, envelope, slots);
        if (dead is not null && FailureClassifier.IsPassed(policy, dead))
        {
            await PassAsync(policy, dead, slots);
        }
    }
}
