using EventBus.Stores;

namespace EventBus;

/// <summary>A store that finds nothing by id or key, like the queues of a broker.</summary>
internal sealed class FaultyQueue(FaultyStore inner) : RetryStore
{
    public override TimeSpan PollInterval => inner.PollInterval;

    public override DeadLetterQueue DeadLetters => inner.DeadLetters;

    public override ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        inner.RecordAsync(entry, cancellationToken);

    public override async ValueTask<bool> TryTakeRedeliveredAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        await inner.RecordAsync(entry with { WasInterrupted = true }, cancellationToken);
        return true;
    }

    public override ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(
        IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken) =>
        inner.ClaimDueAsync(subscriptions, now, lease, max, cancellationToken);

    public override ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        inner.BeginAsync(entry, cancellationToken);

    public override ValueTask<IReadOnlyList<string>> RenewAsync(
        IReadOnlyCollection<FailedEvent> claimed,
        DateTimeOffset until,
        CancellationToken cancellationToken) =>
        inner.RenewAsync(claimed, until, cancellationToken);

    public override ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        inner.CompleteAsync(entry, cancellationToken);

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        inner.CountDueAsync(now, cancellationToken);
}
