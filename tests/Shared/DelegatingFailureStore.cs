using EventBus.Stores;

namespace EventBus;

/// <summary>A failure store that forwards each call. A subclass overrides the calls that it changes.</summary>
internal abstract class DelegatingFailureStore(KeyedFailureStore inner) : KeyedFailureStore
{
    public override TimeSpan PollInterval => inner.PollInterval;

    public override DeadLetterStore DeadLetters => inner.DeadLetters;

    public override ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        inner.RecordAsync(entry, cancellationToken);

    public override ValueTask<AttemptCount?> CountAttemptAsync(
        string subscription,
        string eventId,
        AttemptCount added,
        DateTimeOffset now,
        CancellationToken cancellationToken) =>
        inner.CountAttemptAsync(subscription, eventId, added, now, cancellationToken);

    public override ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken) =>
        inner.ForgetAttemptsAsync(subscription, eventId, cancellationToken);

    public override ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken) =>
        inner.TryParkAsync(entry, limit, cancellationToken);

    public override ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(
        IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken) =>
        inner.ClaimDueAsync(subscriptions, now, lease, max, cancellationToken);

    public override ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        inner.BeginAsync(entry, cancellationToken);

    public override ValueTask ReleaseAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        inner.ReleaseAsync(entry, cancellationToken);

    public override ValueTask<IReadOnlyList<string>> RenewAsync(
        IReadOnlyCollection<FailedEvent> claimed,
        DateTimeOffset until,
        CancellationToken cancellationToken) =>
        inner.RenewAsync(claimed, until, cancellationToken);

    public override ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        inner.CompleteAsync(entry, cancellationToken);

    public override ValueTask<(long Stamp, long? Position)> GetOrderAsync(
        string subscription, string orderKey, CancellationToken cancellationToken) =>
        inner.GetOrderAsync(subscription, orderKey, cancellationToken);

    public override ValueTask<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, CancellationToken cancellationToken) =>
        inner.DeferAsync(entry, stamp, limit, cancellationToken);

    public override ValueTask<bool> AdvanceAsync(
        string subscription,
        string orderKey,
        long? position,
        DateTimeOffset now,
        CancellationToken cancellationToken) =>
        inner.AdvanceAsync(subscription, orderKey, position, now, cancellationToken);

    public override ValueTask SweepAsync(
        DateTimeOffset attemptsBefore,
        DateTimeOffset orderBefore,
        int max,
        CancellationToken cancellationToken) =>
        inner.SweepAsync(attemptsBefore, orderBefore, max, cancellationToken);

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);

    public override ValueTask<IReadOnlyList<FailureCounts>?> CountByStateAsync(CancellationToken cancellationToken) =>
        inner.CountByStateAsync(cancellationToken);

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        inner.CountDueAsync(now, cancellationToken);
}
