using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Calls the failure store for the events of subscriptions. Repeats each write until the store accepts it. The slot of
/// the caller is free for retries meanwhile. Thread-safe.
/// </summary>
/// <remarks>
/// A call throws <see cref="StoreRefusedException"/> if the store does not accept it, and
/// <see cref="OperationCanceledException"/> if the bus stops first. The methods that begin with Try are for calls that
/// can be left out: if the store refuses the call, it is logged and skipped.
/// </remarks>
internal sealed class FailureStoreWriter(RetryStore store, DurableWriter writer, BusServices services)
{
    private static readonly TimeSpan LastWriteTimeout = TimeSpan.FromSeconds(1);

    private readonly KeyedFailureStore? keyed = store as KeyedFailureStore;
    private readonly StoreProbe probe = new(store, services.StoreTime);

    /// <summary>
    /// True if a claim that ends with its process counts as an attempt even if the handler was not called: a claimed
    /// entry must be released while it waits.
    /// </summary>
    public bool ClaimsAreAttempts => keyed is null;

    /// <summary>True if at least one write is held because the store accepts no writes.</summary>
    public bool StoreIsDown => writer.StoreIsDown;

    /// <summary>The store, for calls about the id or the key of an event.</summary>
    /// <exception cref="InvalidOperationException">
    /// The store is a queue of a broker. The bus does not start with a subscription that needs more.
    /// </exception>
    private KeyedFailureStore Keyed => keyed ?? throw new InvalidOperationException("The failure store finds no events by id or key.");

    /// <summary>Begins a write of an entry that its caller repeats itself.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="forms">The number of forms of the write.</param>
    public DurableWrite Begin(FailedEvent entry, ConcurrencyLimiter slots, int forms) => writer.Begin(SubjectOf(entry), slots, forms);

    /// <summary>Makes one attempt to record an entry.</summary>
    public ValueTask<bool> RecordAsync(FailedEvent entry) => store.RecordAsync(entry, services.Abort);

    /// <summary>Makes one attempt to complete a claimed entry.</summary>
    public ValueTask CompleteAsync(FailedEvent entry) => store.CompleteAsync(entry, services.Abort);

    /// <summary>Makes one attempt to record an entry while the bus stops, for at most 1 s.</summary>
    public Task RecordOnceAsync(FailedEvent entry) =>
        store.RecordAsync(entry, CancellationToken.None).AsTask().Observed().WaitAsync(LastWriteTimeout, services.Time);

    /// <inheritdoc cref="RetryStore.TryTakeRedeliveredAsync"/>
    public Task<bool> TakeRedeliveredAsync(FailedEvent entry, ConcurrencyLimiter slots) =>
        writer.WriteAsync(SubjectOf(entry), slots, () => store.TryTakeRedeliveredAsync(entry, services.Abort));

    /// <inheritdoc cref="KeyedFailureStore.TryParkAsync"/>
    public Task<ParkOutcome> ParkAsync(FailedEvent entry, int limit, ConcurrencyLimiter slots) =>
        writer.WriteAsync(SubjectOf(entry), slots, () => Keyed.TryParkAsync(entry, limit, services.Abort));

    /// <inheritdoc cref="KeyedFailureStore.DeferAsync"/>
    public Task<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, ConcurrencyLimiter slots) =>
        writer.WriteAsync(SubjectOf(entry), slots, () => Keyed.DeferAsync(entry, stamp, limit, services.Abort));

    /// <inheritdoc cref="KeyedFailureStore.GetOrderAsync"/>
    public Task<(long Stamp, long? Position)> GetOrderAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots) =>
        writer.WriteAsync(
            SubjectOf(policy, envelope),
            slots,
            () => Keyed.GetOrderAsync(policy.Subscription, envelope.Key ?? "", services.Abort));

    /// <inheritdoc cref="KeyedFailureStore.AdvanceAsync"/>
    public Task<bool> AdvanceAsync(
        FailurePolicy policy, Envelope envelope, string orderKey, long? position, ConcurrencyLimiter slots) =>
        writer.WriteAsync(
            SubjectOf(policy, envelope),
            slots,
            () => Keyed.AdvanceAsync(policy.Subscription, orderKey, position, services.StoreTime.GetUtcNow(), services.Abort));

    /// <inheritdoc cref="KeyedFailureStore.CountAttemptAsync"/>
    /// <param name="policy">The failure policy of the subscription.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="added">The attempts to add.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="stored">Set when the count is stored; this may be long before the caller has a slot again.</param>
    public Task<AttemptCount?> CountAttemptAsync(
        FailurePolicy policy, Envelope envelope, AttemptCount added, ConcurrencyLimiter slots, TaskCompletionSource? stored) =>
        writer.WriteAsync(
            SubjectOf(policy, envelope),
            slots,
            () => Keyed.CountAttemptAsync(policy.Subscription, envelope.Id, added, services.StoreTime.GetUtcNow(), services.Abort),
            stored);

    /// <inheritdoc cref="RetryStore.BeginAsync"/>
    /// <param name="entry">The entry.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="stored">Set when it is stored; this may be long before the caller has a slot again.</param>
    public Task<bool> BeginAttemptAsync(FailedEvent entry, ConcurrencyLimiter slots, TaskCompletionSource stored) =>
        writer.WriteAsync(SubjectOf(entry), slots, () => store.BeginAsync(entry, services.Abort), stored);

    /// <inheritdoc cref="CountAttemptAsync"/>
    public Task TryCountAttemptAsync(
        FailurePolicy policy, Envelope envelope, AttemptCount added, ConcurrencyLimiter slots, TaskCompletionSource stored) =>
        writer.TryWriteAsync(
            SubjectOf(policy, envelope),
            slots,
            () => Keyed.CountAttemptAsync(policy.Subscription, envelope.Id, added, services.StoreTime.GetUtcNow(), services.Abort),
            stored);

    /// <inheritdoc cref="BeginAttemptAsync"/>
    public Task TryBeginAttemptAsync(FailedEvent entry, ConcurrencyLimiter slots, TaskCompletionSource stored) =>
        writer.TryWriteAsync(SubjectOf(entry), slots, () => store.BeginAsync(entry, services.Abort), stored);

    /// <summary>Removes the attempt count of an event, if the store keeps one.</summary>
    public Task TryForgetAttemptsAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots) =>
        keyed is null ? Task.CompletedTask : writer.TryWriteAsync(SubjectOf(policy, envelope), slots, async () =>
        {
            await keyed.ForgetAttemptsAsync(policy.Subscription, envelope.Id, services.Abort);
            return true;
        });

    /// <summary>Finds the dead letter of an event; null if there is none.</summary>
    public Task<FailedEvent?> TryFindDeadLetterAsync(FailurePolicy policy, Envelope envelope, ConcurrencyLimiter slots) =>
        writer.TryWriteAsync(
            SubjectOf(policy, envelope),
            slots,
            () => Keyed.DeadLetters.FindAsync(FailedEvent.MakeId(policy.Subscription, envelope.Id), services.Abort));

    /// <summary>Returns a dead letter with as much of its body as may be stored.</summary>
    public async Task<FailedEvent> TryFitAsync(FailedEvent entry, RecordLimits limits, ConcurrencyLimiter slots) =>
        await writer.TryWriteAsync(SubjectOf(entry), slots, () => limits.FitAsync(entry, services.Abort)) ?? entry;

    /// <summary>Records a claimed entry that was not attempted, so that it is due again.</summary>
    public Task TryRecordAsync(FailedEvent entry, ConcurrencyLimiter slots) =>
        writer.TryWriteAsync(SubjectOf(entry), slots, () => store.RecordAsync(entry, services.Abort));

    /// <summary>Releases a claimed, interrupted entry that was not attempted.</summary>
    public Task TryReleaseAsync(FailedEvent entry, ConcurrencyLimiter slots) => writer.TryWriteAsync(SubjectOf(entry), slots, async () =>
    {
        await store.ReleaseAsync(entry, services.Abort);
        return true;
    });

    private WriteSubject SubjectOf(FailedEvent entry) => new(
        entry.Subscription,
        entry.Envelope.Name,
        entry.Envelope.Id,
        probe.RunAsync)
    { IsDelivery = entry.Claim == 0, ProbeWrites = keyed is not null };

    private WriteSubject SubjectOf(FailurePolicy policy, Envelope envelope) =>
        new(policy.Subscription, envelope.Name, envelope.Id, probe.RunAsync) { ProbeWrites = keyed is not null };
}
