using EventBus.Stores;

namespace EventBus.Sagas;

/// <summary>
/// The store of an instance that crashes at one of its writes: none of its later writes reaches the store.
/// </summary>
internal sealed class CrashingSagaStore(SagaStore inner, int crashAt, bool after) : DelegatingSagaStore(inner)
{
    private readonly TaskCompletionSource over = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int writes;
    private volatile bool isDead;
    private volatile TaskCompletionSource? paused;

    public bool IsDead => isDead;

    /// <summary>The number of the next writes that fail.</summary>
    public int Failures { get; set; }

    public override TimeSpan PollInterval => TimeSpan.FromSeconds(1);

    /// <summary>Completes when the instance has crashed, or when a saga has ended.</summary>
    public Task Over => over.Task;

    public void Crash()
    {
        isDead = true;
        over.TrySetResult();
    }

    /// <summary>Delays each call until the returned action is called.</summary>
    public Action Pause()
    {
        var pause = paused = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return () =>
        {
            paused = null;
            pause.SetResult();
        };
    }

    public override ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken) =>
        WriteAsync(entry, base.CreateAsync, cancellationToken);

    public override ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken) =>
        WriteAsync(entry, base.SaveAsync, cancellationToken);

    public override async ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken)
    {
        await LiveAsync(cancellationToken);
        return await base.FindAsync(id, cancellationToken);
    }

    public override async ValueTask<DueBatch<SagaEntry>> ListDueAsync(
        IReadOnlyCollection<string> sagas,
        DateTimeOffset now,
        int max,
        CancellationToken cancellationToken)
    {
        await LiveAsync(cancellationToken);
        return await base.ListDueAsync(sagas, now, max, cancellationToken);
    }

    private async ValueTask<bool> WriteAsync(
        SagaEntry entry,
        Func<SagaEntry, CancellationToken, ValueTask<bool>> write,
        CancellationToken cancellationToken)
    {
        await LiveAsync(cancellationToken);
        if (Failures > 0)
        {
            Failures--;
            throw new IOException("the store does not answer");
        }

        var isCrash = Interlocked.Increment(ref writes) == crashAt;
        if (isCrash && !after)
        {
            Crash();
            await LiveAsync(cancellationToken);
        }

        var done = await write(entry, cancellationToken);
        if (isCrash)
        {
            Crash();
            await LiveAsync(cancellationToken);
        }

        if (done && SagaTransitions.IsEnd(entry.Status) && entry.DueAt is null)
        {
            over.TrySetResult();
        }

        return done;
    }

    private async Task LiveAsync(CancellationToken cancellationToken)
    {
        await (paused?.Task ?? Task.CompletedTask);
        if (isDead)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }
    }
}
