using EventBus.Stores;

namespace EventBus;

/// <summary>A store of handled events that other processes use too, as a server or a file would be.</summary>
internal sealed class SharedProcessedStore : ProcessedEventStore
{
    private readonly InMemoryProcessedEventStore inner = new(1_000);

    /// <summary>The keys that were requested and found claimed, in order.</summary>
    public Journal Refused { get; } = new();

    public override async ValueTask<ProcessedClaim> ClaimAsync(
        ProcessedKey key, long fingerprint, DateTimeOffset now, TimeSpan lease, CancellationToken cancellationToken)
    {
        var claim = await inner.ClaimAsync(key, fingerprint, now, lease, cancellationToken);
        if (claim.State == ProcessedState.InProgress)
        {
            Refused.Add(key.Key);
        }

        return claim;
    }

    public override ValueTask<bool> RenewAsync(
        ProcessedKey key, long fencingToken, DateTimeOffset until, CancellationToken cancellationToken) =>
        inner.RenewAsync(key, fencingToken, until, cancellationToken);

    public override ValueTask<bool> CompleteAsync(
        ProcessedKey key, long fencingToken, Completion completion, CancellationToken cancellationToken) =>
        inner.CompleteAsync(key, fencingToken, completion, cancellationToken);

    public override ValueTask MarkDispatchedAsync(ProcessedKey key, CancellationToken cancellationToken) =>
        inner.MarkDispatchedAsync(key, cancellationToken);

    public override ValueTask ReleaseAsync(ProcessedKey key, long fencingToken, CancellationToken cancellationToken) =>
        inner.ReleaseAsync(key, fencingToken, cancellationToken);

    public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken) =>
        inner.SweepAsync(now, max, cancellationToken);

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);
}
