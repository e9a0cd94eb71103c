using EventBus.Stores;

namespace EventBus.Proof;

/// <summary>A failure store that shortens the lease of alerts, which is more than a minute: what a killed process had claimed is told of by the next one within the proof's patience.</summary>
internal sealed class SwiftAlerts(FailureStore inner) : FailureStore
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    public override TimeSpan PollInterval => inner.PollInterval;

    public static BusStores Wrap(BusStores stores) => With(stores, new SwiftAlerts(stores.Failures!), stores.Processed);

    public static BusStores With(BusStores stores, FailureStore? failures, ProcessedEventStore? processed, SagaStore? sagas = null) => new()
    {
        Name = stores.Name,
        Durable = stores.Durable,
        Failures = failures,
        Delays = stores.Delays,
        Processed = processed,
        Sagas = sagas ?? stores.Sagas,
        OpenAsync = stores.OpenAsync,
        CloseAsync = stores.CloseAsync,
    };

    public override ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken) =>
        inner.ClaimAlertsAsync(now, lease < Longest ? lease : Longest, max, cancellationToken);

    public override ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken) => inner.RecordAsync(entry, cancellationToken);

    public override ValueTask<AttemptCount?> CountAttemptAsync(string subscription, string eventId, AttemptCount added, DateTimeOffset now, CancellationToken cancellationToken) =>
        inner.CountAttemptAsync(subscription, eventId, added, now, cancellationToken);

    public override ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken) => inner.ForgetAttemptsAsync(subscription, eventId, cancellationToken);

    public override ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken) => inner.TryParkAsync(entry, limit, cancellationToken);

    public override ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken) =>
        inner.ClaimDueAsync(subscriptions, now, lease, max, cancellationToken);

    public override ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken) => inner.BeginAsync(entry, cancellationToken);

    public override ValueTask ReleaseAsync(FailedEvent entry, CancellationToken cancellationToken) => inner.ReleaseAsync(entry, cancellationToken);

    public override ValueTask<IReadOnlyList<string>> RenewAsync(IReadOnlyCollection<FailedEvent> claimed, DateTimeOffset until, CancellationToken cancellationToken) => inner.RenewAsync(claimed, until, cancellationToken);

    public override ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken) => inner.CompleteAsync(entry, cancellationToken);

    public override ValueTask<IReadOnlyList<FailedEvent>> ListDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken) => inner.ListDeadAsync(filter, cancellationToken);

    public override ValueTask<IReadOnlyList<DeadLetterPlace>> ListDeadPlacesAsync(DeadLetterFilter filter, long after, CancellationToken cancellationToken) => inner.ListDeadPlacesAsync(filter, after, cancellationToken);

    public override ValueTask<long> MeasureUnreadAsync(string subscription, int above, CancellationToken cancellationToken) => inner.MeasureUnreadAsync(subscription, above, cancellationToken);

    public override ValueTask<FailedEvent?> FindDeadAsync(string id, CancellationToken cancellationToken) => inner.FindDeadAsync(id, cancellationToken);

    public override ValueTask<bool> RetryDeadAsync(string id, DateTimeOffset now, CancellationToken cancellationToken) => inner.RetryDeadAsync(id, now, cancellationToken);

    public override ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken) => inner.DiscardAsync(id, cancellationToken);

    public override ValueTask<long> CountDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken) => inner.CountDeadAsync(filter, cancellationToken);

    public override ValueTask AlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken) => inner.AlertedAsync(sent, cancellationToken);

    public override ValueTask<OrderState> GetOrderAsync(string subscription, string orderKey, CancellationToken cancellationToken) => inner.GetOrderAsync(subscription, orderKey, cancellationToken);

    public override ValueTask<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, CancellationToken cancellationToken) => inner.DeferAsync(entry, stamp, limit, cancellationToken);

    public override ValueTask<bool> AdvanceAsync(string subscription, string orderKey, long? position, DateTimeOffset now, CancellationToken cancellationToken) =>
        inner.AdvanceAsync(subscription, orderKey, position, now, cancellationToken);

    public override ValueTask<int> SweepAsync(SweepLimits limits, int max, CancellationToken cancellationToken) => inner.SweepAsync(limits, max, cancellationToken);

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) => inner.CountDueAsync(now, cancellationToken);
}
