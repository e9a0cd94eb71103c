using EventBus.Stores;

namespace EventBus;

/// <summary>The in-memory store, with faults that a test chooses.</summary>
internal sealed class ScriptedProcessedStore : ProcessedEventStore
{
    private readonly InMemoryProcessedEventStore inner = new(1_000);
    private readonly TaskCompletionSource refused = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>True if each call throws.</summary>
    public bool Down { get; set; }

    /// <summary>True if the store reports support of transactions.</summary>
    public bool Transactions { get; init; }

    public override bool SupportsTransactions => Transactions;

    /// <summary>The number of refusals of a claim before the earlier lease has expired.</summary>
    public int InProgressAnswers { get; set; }

    /// <summary>Called when a key has been claimed, before the caller gets the answer.</summary>
    public Action? Claimed { get; set; }

    /// <summary>Completes at the first call.</summary>
    public Task Asked => asked.Task;

    /// <summary>Completes at the first call that throws.</summary>
    public Task Refused => refused.Task;

    /// <summary>Called when a key has been completed, before the caller gets the answer.</summary>
    public Action? Completed { get; set; }

    /// <summary>Called after the events of a handler were sent, before the store marks them as sent.</summary>
    public Func<Task>? Dispatching { get; set; }

    /// <summary>Takes the key over and completes it, as another instance would.</summary>
    public void CompleteElsewhere(ProcessedKey key)
    {
        var claim = inner.ClaimAsync(key, 0, DateTimeOffset.MaxValue, TimeSpan.Zero, CancellationToken.None)
            .AsTask()
            .GetAwaiter()
            .GetResult();
        inner.CompleteAsync(key, claim.FencingToken, new Completion([], [], DateTimeOffset.MaxValue), CancellationToken.None)
            .AsTask()
            .GetAwaiter()
            .GetResult();
    }

    public override ValueTask<ProcessedClaim> ClaimAsync(
        ProcessedKey key,
        long fingerprint,
        DateTimeOffset now,
        TimeSpan lease,
        CancellationToken cancellationToken)
    {
        Check();
        if (InProgressAnswers > 0)
        {
            InProgressAnswers--;
            return ValueTask.FromResult(new ProcessedClaim(ProcessedState.InProgress, 0, 0, []));
        }

        var claiming = inner.ClaimAsync(key, fingerprint, now + TimeSpan.FromMinutes(1), lease, cancellationToken);
        Claimed?.Invoke();
        return claiming;
    }

    public override ValueTask<bool> RenewAsync(
        ProcessedKey key, long fencingToken, DateTimeOffset until, CancellationToken cancellationToken)
    {
        Check();
        return inner.RenewAsync(key, fencingToken, until, cancellationToken);
    }

    public override ValueTask<bool> CompleteAsync(
        ProcessedKey key, long fencingToken, Completion completion, CancellationToken cancellationToken)
    {
        Check();
        var completing = inner.CompleteAsync(key, fencingToken, completion, cancellationToken);
        Completed?.Invoke();
        return completing;
    }

    public override async ValueTask MarkDispatchedAsync(ProcessedKey key, CancellationToken cancellationToken)
    {
        Check();
        await (Dispatching?.Invoke() ?? Task.CompletedTask);
        await inner.MarkDispatchedAsync(key, cancellationToken);
    }

    public override ValueTask ReleaseAsync(ProcessedKey key, long fencingToken, CancellationToken cancellationToken)
    {
        Check();
        return inner.ReleaseAsync(key, fencingToken, cancellationToken);
    }

    public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken) =>
        inner.SweepAsync(now, max, cancellationToken);

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);

    private void Check()
    {
        asked.TrySetResult();
        if (Down)
        {
            refused.TrySetResult();
            throw new IOException("the store is down");
        }
    }
}
