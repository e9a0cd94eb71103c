using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Calls the failure store for the events of subscriptions. Repeats each write until the store accepts it, and lends
/// the slot of the caller meanwhile. Thread-safe.
/// </summary>
internal sealed class FailureStoreWriter(RetryStore store, DurableWriter writer, BusServices services)
{
    private static readonly TimeSpan LastWriteTimeout = TimeSpan.FromSeconds(1);

    private readonly KeyedFailureStore? keyed = store as KeyedFailureStore;
    private readonly StoreProbe probe = new(store, services.StoreTime);

    /// <summary>
    /// True if a claim already counts as an attempt when the process ends: a claimed entry must be released while it
    /// waits.
    /// </summary>
    public bool ClaimsAreAttempts => keyed is null;

    /// <summary>The store, for calls about the id or the key of an event.</summary>
    /// <exception cref="InvalidOperationException">
    /// The store is a queue of a broker. The plan of the bus rejects subscriptions that need more.
    /// </exception>
    public KeyedFailureStore Keyed => keyed ?? throw new InvalidOperationException("The failure store finds no events by id or key.");

    /// <summary>True if the store finds events by id and key.</summary>
    public bool IsKeyed => keyed is not null;

    /// <summary>True if at least one write is held because the store accepts no writes.</summary>
    public bool StoreIsDown => writer.StoreIsDown;

    /// <summary>Completes when the store accepts the writes of a subscription, or when the bus aborts.</summary>
    public Task WhenWritableAsync(ConcurrencyLimiter slots) => writer.WhenWritableAsync(slots);

    /// <summary>Makes a call for an event that was delivered.</summary>
    /// <exception cref="StoreRefusedException">The store does not accept this call.</exception>
    /// <exception cref="OperationCanceledException">The bus stops before the store accepted the call.</exception>
    public Task WriteAsync(
        FailurePolicy policy,
        Envelope envelope,
        ConcurrencyLimiter slots,
        Func<RetryStore, CancellationToken, ValueTask> write) =>
        writer.WriteAsync(SubjectOf(policy, envelope), slots, cancel => write(store, cancel));

    /// <summary>Makes a call for an entry, or for an event that becomes one.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="forms">The call, followed by the alternatives for when the store cannot accept it.</param>
    /// <exception cref="StoreRefusedException">The store does not accept this call, nor an alternative.</exception>
    /// <exception cref="OperationCanceledException">The bus stops before the store accepted the call.</exception>
    public Task WriteAsync(FailedEvent entry, ConcurrencyLimiter slots, params Func<RetryStore, CancellationToken, ValueTask>[] forms) =>
        writer.WriteAsync(
            SubjectOf(entry),
            slots,
            Array.ConvertAll(forms, form => (Func<CancellationToken, ValueTask>)(cancel => form(store, cancel))));

    /// <summary>Makes an optional call for an event: it is skipped and logged when the store refuses it.</summary>
    public Task TryWriteAsync(
        FailurePolicy policy,
        Envelope envelope,
        ConcurrencyLimiter slots,
        Func<RetryStore, CancellationToken, ValueTask> write) =>
        writer.TryWriteAsync(SubjectOf(policy, envelope), slots, cancel => write(store, cancel));

    /// <summary>Makes an optional call for an entry: it is skipped and logged when the store refuses it.</summary>
    public Task TryWriteAsync(FailedEvent entry, ConcurrencyLimiter slots, Func<RetryStore, CancellationToken, ValueTask> write) =>
        writer.TryWriteAsync(SubjectOf(entry), slots, cancel => write(store, cancel));

    /// <summary>Makes one attempt to record an entry while the bus stops, for at most 1 s.</summary>
    public Task RecordOnceAsync(FailedEvent entry) =>
        store.RecordAsync(entry, CancellationToken.None).AsTask().Observed().WaitAsync(LastWriteTimeout, services.Time);

    private WriteSubject SubjectOf(FailedEvent entry) => new(
        entry.Subscription,
        entry.Envelope.Name,
        entry.Envelope.Id,
        probe.RunAsync)
    { IsDelivery = entry.Claim == 0, ProbeWrites = keyed is not null };

    private WriteSubject SubjectOf(FailurePolicy policy, Envelope envelope) =>
        new(policy.Subscription, envelope.Name, envelope.Id, probe.RunAsync) { ProbeWrites = keyed is not null };
}
