using EventBus.Stores;

namespace EventBus.Proof;

/// <summary>
/// A store of handled events that records each commit, and calls an action before and after its steps.
/// </summary>
internal sealed class WatchedProcessedStore(ProcessedEventStore inner, Journal journal, Action<Failpoint, string> reached)
    : ProcessedEventStore
{
    public override bool SupportsTransactions => inner.SupportsTransactions;

    public override ValueTask<ProcessedClaim> ClaimAsync(
        ProcessedKey key,
        long fingerprint,
        DateTimeOffset now,
        TimeSpan lease,
        CancellationToken cancellationToken) =>
        inner.ClaimAsync(key, fingerprint, now, lease, cancellationToken);

    public override ValueTask<bool> RenewAsync(
        ProcessedKey key, long fencingToken, DateTimeOffset until, CancellationToken cancellationToken) =>
        inner.RenewAsync(key, fencingToken, until, cancellationToken);

    public override async ValueTask<bool> CompleteAsync(
        ProcessedKey key,
        long fencingToken,
        Completion completion,
        CancellationToken cancellationToken)
    {
        reached(Failpoint.BeforeCommit, key.Key);
        var committed = await inner.CompleteAsync(key, fencingToken, completion, cancellationToken);
        if (committed)
        {
            journal.Write(Kind.Commit, Numbers.Of(key.Key), fencingToken);
            reached(Failpoint.BeforeDispatch, key.Key);
        }

        return committed;
    }

    public override async ValueTask MarkDispatchedAsync(ProcessedKey key, CancellationToken cancellationToken)
    {
        reached(Failpoint.AfterDispatch, key.Key);
        await inner.MarkDispatchedAsync(key, cancellationToken);
        reached(Failpoint.BeforeAcknowledge, key.Key);
    }

    public override ValueTask ReleaseAsync(ProcessedKey key, long fencingToken, CancellationToken cancellationToken) =>
        inner.ReleaseAsync(key, fencingToken, cancellationToken);

    public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken) =>
        inner.SweepAsync(now, max, cancellationToken);

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);
}
