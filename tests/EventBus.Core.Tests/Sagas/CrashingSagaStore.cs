using EventBus.Stores;

namespace EventBus.Sagas;

/// <summary>
/// The store as an instance sees it that dies at one of its writes: from then on none of its writes reaches the store.
/// </summary>
internal sealed class CrashingSagaStore(SagaStore inner, int deadly, bool after) : DelegatingSagaStore(inner)
{
    private readonly TaskCompletionSource over = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int writes;
    private volatile bool isDead;
    private volatile TaskCompletionSource? paused;

    public bool IsDead => isDead;

    /// <summary>The number of the next writes that fail.</summary>
    public int Failures { get; set; }

    public override TimeSpan PollInterval => TimeSpan.FromSeconds(1);

    /// <summary>Completes when it has died, or seen a saga to the end.</summary>
    public Task Over => over.Task;

    public void Die()
    {
        isDead = true;
        over.TrySetResult();
    }

    /// <summary>Holds up every call until the returned action is called.</summary>
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

        var isDeadly = Interlocked.Increment(ref writes) == deadly;
        if (isDeadly && !after)
        {
            Die();
            await LiveAsync(cancellationToken);
        }

        var done = await write(entry, cancellationToken);
        if (isDeadly)
        {
            Die();
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
