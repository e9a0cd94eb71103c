namespace EventBus.Stores;

/// <summary>A store that may stop to answer what people ask of its dead letters, whatever their tokens say.</summary>
internal sealed class SilentFailureStore(FailureStore inner, Func<Task> answering) : FailureStore
{
    public override TimeSpan PollInterval => inner.PollInterval;

    public override ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken) =>
        inner.ClaimAlertsAsync(now, lease, max, cancellationToken);

    public override ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken) => inner.RecordAsync(entry, cancellationToken);

    public override ValueTask<AttemptCount?> CountAttemptAsync(string subscription, string eventId, AttemptCount count, DateTimeOffset now, CancellationToken cancellationToken) => inner.CountAttemptAsync(subscription, eventId, count, now, cancellationToken);

    public override ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken) => inner.ForgetAttemptsAsync(subscription, eventId, cancellationToken);

    public override ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken) => inner.TryParkAsync(entry, limit, cancellationToken);

    public override ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken) =>
        inner.ClaimDueAsync(subscriptions, now, lease, max, cancellationToken);

    public override ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken) => inner.BeginAsync(entry, cancellationToken);

    public override ValueTask ReleaseAsync(FailedEvent entry, CancellationToken cancellationToken) => inner.ReleaseAsync(entry, cancellationToken);

    public override ValueTask<IReadOnlyList<string>> RenewAsync(IReadOnlyCollection<FailedEvent> claimed, DateTimeOffset until, CancellationToken cancellationToken) => inner.RenewAsync(claimed, until, cancellationToken);

    public override ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken) => inner.CompleteAsync(entry, cancellationToken);

    public override async ValueTask<IReadOnlyList<FailedEvent>> ListDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.ListDeadAsync(filter, cancellationToken);
    }

    public override async ValueTask<IReadOnlyList<DeadLetterPlace>> ListDeadPlacesAsync(DeadLetterFilter filter, long after, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.ListDeadPlacesAsync(filter, after, cancellationToken);
    }

    public override async ValueTask<FailedEvent?> FindDeadAsync(string id, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.FindDeadAsync(id, cancellationToken);
    }

    public override async ValueTask<bool> RetryDeadAsync(string id, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.RetryDeadAsync(id, now, cancellationToken);
    }

    public override async ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.DiscardAsync(id, cancellationToken);
    }

    public override async ValueTask<long> CountDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.CountDeadAsync(filter, cancellationToken);
    }

    public override ValueTask AlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken) => inner.AlertedAsync(sent, cancellationToken);

    public override ValueTask<OrderState> GetOrderAsync(string subscription, string orderKey, CancellationToken cancellationToken) => inner.GetOrderAsync(subscription, orderKey, cancellationToken);

    public override ValueTask<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, CancellationToken cancellationToken) => inner.DeferAsync(entry, stamp, limit, cancellationToken);

    public override ValueTask<bool> AdvanceAsync(string subscription, string orderKey, long? position, DateTimeOffset now, CancellationToken cancellationToken) =>
        inner.AdvanceAsync(subscription, orderKey, position, now, cancellationToken);

    public override ValueTask<int> SweepAsync(SweepLimits limits, int max, CancellationToken cancellationToken) => inner.SweepAsync(limits, max, cancellationToken);

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) => inner.CountDueAsync(now, cancellationToken);
}
