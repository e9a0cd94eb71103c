using EventBus.Stores;

namespace EventBus;

/// <summary>The in-memory store of handled events, which throws in the steps that a test chooses.</summary>
internal sealed class FaultyProcessedStore : ProcessedEventStore
{
    private readonly InMemoryProcessedEventStore inner = new(1_000);

    /// <summary>Called with the key before a claim. An exception becomes the failure of the claim.</summary>
    public Action<string> Before { get; init; } = _ => { };

    /// <summary>Called with the key before a completion. An exception becomes the failure of the completion.</summary>
    public Action<string> BeforeCompleting { get; init; } = _ => { };

    public override ValueTask<ProcessedClaim> ClaimAsync(
        ProcessedKey key,
        long fingerprint,
        DateTimeOffset now,
        TimeSpan lease,
        CancellationToken cancellationToken)
    {
        Before(key.Key);
        return inner.ClaimAsync(key, fingerprint, now, lease, cancellationToken);
    }

    public override ValueTask<bool> RenewAsync(
        ProcessedKey key,
        long fencingToken,
        DateTimeOffset until,
        CancellationToken cancellationToken) => inner.RenewAsync(key, fencingToken, until, cancellationToken);

    public override ValueTask<bool> CompleteAsync(
        ProcessedKey key,
        long fencingToken,
        Completion completion,
        CancellationToken cancellationToken)
    {
        BeforeCompleting(key.Key);
        return inner.CompleteAsync(key, fencingToken, completion, cancellationToken);
    }

    public override ValueTask MarkDispatchedAsync(ProcessedKey key, CancellationToken cancellationToken) =>
        inner.MarkDispatchedAsync(key, cancellationToken);

    public override ValueTask ReleaseAsync(ProcessedKey key, long fencingToken, CancellationToken cancellationToken) =>
        inner.ReleaseAsync(key, fencingToken, cancellationToken);

    public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken) =>
        inner.SweepAsync(now, max, cancellationToken);

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);
}
