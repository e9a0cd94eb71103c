using EventBus.Stores;

namespace EventBus;

/// <summary>A dead-letter store that forwards each call. A subclass overrides the calls that it changes.</summary>
internal abstract class DelegatingDeadLetterStore(DeadLetterStore inner) : DeadLetterStore
{
    public override ValueTask<IReadOnlyList<FailedEvent>> ListAsync(DeadLetterFilter filter, CancellationToken cancellationToken) =>
        inner.ListAsync(filter, cancellationToken);

    public override ValueTask<IReadOnlyList<(string Id, long Number)>> ListIdsAsync(
        DeadLetterFilter filter,
        long after,
        CancellationToken cancellationToken) =>
        inner.ListIdsAsync(filter, after, cancellationToken);

    public override ValueTask<FailedEvent?> FindAsync(string id, CancellationToken cancellationToken) =>
        inner.FindAsync(id, cancellationToken);

    public override ValueTask<bool> RetryAsync(string id, DateTimeOffset now, CancellationToken cancellationToken) =>
        inner.RetryAsync(id, now, cancellationToken);

    public override ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken) =>
        inner.DiscardAsync(id, cancellationToken);

    public override ValueTask<long> CountAsync(DeadLetterFilter filter, CancellationToken cancellationToken) =>
        inner.CountAsync(filter, cancellationToken);

    public override ValueTask<int> SweepAsync(DateTimeOffset before, int max, CancellationToken cancellationToken) =>
        inner.SweepAsync(before, max, cancellationToken);

    public override ValueTask<long> MeasureUnreadableAsync(string subscription, int above, CancellationToken cancellationToken) =>
        inner.MeasureUnreadableAsync(subscription, above, cancellationToken);

    public override ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken) =>
        inner.ClaimAlertsAsync(now, lease, max, cancellationToken);

    public override ValueTask MarkAlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken) =>
        inner.MarkAlertedAsync(sent, cancellationToken);
}
