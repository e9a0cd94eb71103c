using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Stores the events that are published with a delay. Thread-safe.</summary>
/// <param name="store">The store; null if none keeps delayed events.</param>
/// <param name="delaysDue">Wakes the loop of delayed events after an event was stored.</param>
/// <param name="errors">Creates the exceptions.</param>
/// <param name="services">The clocks.</param>
internal sealed class DelayedEventWriter(DelayStore? store, WakeSignal delaysDue, PublishErrors errors, BusServices services)
{
    private readonly TimeProvider time = services.Time;

    /// <summary>
    /// Stores an event until it is due. Repeats the write until the deadline while the store accepts no writes or has
    /// no space.
    /// </summary>
    /// <exception cref="PublishException">The event was not stored, or it is in doubt whether it was.</exception>
    public async Task AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken deadline, CancellationToken cancellationToken)
    {
        if (store is null)
        {
            throw new PublishException(
                $"The event '{envelope.Name}' cannot be delayed: no configured store keeps delayed events. Add one, for instance "
                    + "bus.StoreInMemory().",
                PublishFailure.Rejected,
                envelope.Id);
        }

        // The due time is a wall clock time of the application. From here on, the delay is measured as elapsed time,
        // and scheduled by the clock of the stores.
        var delay = dueAt - time.GetUtcNow();
        var startedAt = time.GetTimestamp();
        var failures = 0;
        while (true)
        {
            try
            {
                await StoreCalls.UntilAsync(AddOnceAsync(store), time, deadline, cancellationToken);
                delaysDue.Pulse();
                return;
            }
            catch (StoreRefusedException exception) when (exception.Scope != StoreScope.Entry && !deadline.IsCancellationRequested)
            {
                // The store refuses other events too, so it may accept this one later.
                failures++;
                await Task.Delay(PublishRetry.Delays.After(failures), time, deadline).WaitAsync(cancellationToken).Quietly();
                cancellationToken.ThrowIfCancellationRequested();
                if (deadline.IsCancellationRequested)
                {
                    throw NotStored(envelope, exception);
                }
            }
            catch (InvalidOperationException exception)
            {
                // The store is full, or refuses this event permanently, or the deadline has passed.
                throw NotStored(envelope, exception);
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
            {
                throw errors.InDoubt(envelope, exception);
            }
        }

        async Task<bool> AddOnceAsync(DelayStore delays)
        {
            // The elapsed time is read first: if the thread is suspended between the two reads, the event must not
            // become due too early.
            var left = delay - time.GetElapsedTime(startedAt);
            var now = services.StoreTime.GetUtcNow();
            var dueByStoreTime = left < DateTimeOffset.MaxValue - now ? now + left : DateTimeOffset.MaxValue;
            await delays.AddAsync(envelope, dueByStoreTime, deadline);
            return true;
        }
    }

    private static PublishException NotStored(Envelope envelope, InvalidOperationException exception) => new(
        $"The event '{envelope.Name}' {envelope.Id} was not stored as a delayed event: {ExceptionText.MessageOf(exception)}",
        exception is StoreRefusedException { Scope: StoreScope.Entry } ? PublishFailure.Rejected : PublishFailure.Failed,
        envelope.Id,
        exception);
}
