using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Writes to a store, and repeats the write until the store accepts it. Distinguishes three failures: the store accepts
/// no write, it has no room for a subscription, or it cannot accept this entry. Thread-safe.
/// </summary>
/// <remarks>
/// A store may report the kind of failure (<see cref="StoreRefusedException"/>). After any other exception, a probe
/// writes something unrelated. When the write fails several times in a row between two probes that succeed, the write
/// is at fault. A timeout or a lost connection says nothing about the write until the store has answered all probes for
/// some time. The probe after a write runs after the backoff: if a write breaks its own connection, the store is not
/// down.
/// </remarks>
internal sealed class DurableWriter(BusServices services)
{
    private readonly PendingWrites down = new();
    private readonly SharedProbes probes = new(services);

    /// <summary>True if at least one write is held because the store accepts no writes.</summary>
    public bool StoreIsDown => down.IsHeld;

    /// <summary>
    /// Completes when no write is held because of the store or the subscription, or when the bus aborts, which ends the
    /// held writes.
    /// </summary>
    public async Task WhenWritableAsync(ConcurrencyLimiter slots)
    {
        while (down.IsHeld || slots.Hold.IsHeld)
        {
            await down.WhenFreeAsync();
            await slots.Hold.WhenFreeAsync();
        }
    }

    /// <summary>Writes, and repeats the write until the store has accepted it.</summary>
    /// <remarks>
    /// While the write is held, the caller's slot is lent, so that retries continue; they may be what makes room in a
    /// full store. The pumps of the bus, or only of the subscription, take no new deliveries meanwhile, so that no more
    /// writes are held than deliveries were in flight.
    /// </remarks>
    /// <param name="subject">The event that the write concerns.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="forms">
    /// The write, followed by the alternatives that are written when the store cannot accept it. Without an
    /// alternative, the method throws.
    /// </param>
    /// <returns>The index of the form that was written.</returns>
    /// <exception cref="StoreRefusedException">
    /// The store does not accept this write, and there is no alternative.
    /// </exception>
    /// <exception cref="OperationCanceledException">The bus stops before the store accepted the write.</exception>
    public async Task<int> WriteAsync(WriteSubject subject, ConcurrencyLimiter slots, params Func<CancellationToken, ValueTask>[] forms)
    {
        if (await RepeatedWrite.TryAsync(forms[0], services.Abort) is not { } error)
        {
            return 0;
        }

        var repeating =
            new RepeatedWrite(subject, forms, new HeldWrite(subject, down, slots.Hold, services.Log), probes, services).RunAsync(error);
        await slots.WaitWithoutAsync(repeating, services.Abort);
        return await repeating;
    }

    /// <summary>Makes an optional write: it is skipped and logged when the store does not accept it.</summary>
    public async Task TryWriteAsync(WriteSubject subject, ConcurrencyLimiter slots, Func<CancellationToken, ValueTask> write)
    {
        try
        {
            await WriteAsync(subject, slots, write);
        }
        catch (StoreRefusedException exception)
        {
            services.Log.StepLeftOut(subject.Subscription, subject.EventName, subject.EventId, exception);
        }
    }
}
