using EventBus.Stores;

namespace EventBus;

/// <summary>Gives operators access to the dead letters of the failure store.</summary>
internal sealed class DeadLetterManager(CallerContext context, TimeProvider time) : IDeadLetters
{
    private const int MaxTake = 1_000;

    // A store is expected to retry this number of dead letters within the timeout of one call.
    private const int RetriesPerTimeout = 100;

    // Null until the bus has started.
    private OpenedDeadLetters? access;

    /// <summary>Gives access to the dead letters, because the bus has started.</summary>
    /// <param name="queue">The dead letters.</param>
    /// <param name="timeout">The maximum duration of a call.</param>
    /// <param name="wake">Wake the loops of retries and of delayed events.</param>
    /// <param name="services">The clocks and the log of the bus.</param>
    public void Open(DeadLetterQueue queue, TimeSpan timeout, IReadOnlyList<WakeSignal> wake, BusServices services) =>
        access = new OpenedDeadLetters(queue, new StoreCalls(timeout, time), wake, services);

    public async Task<IReadOnlyList<DeadLetter>> ListAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default)
    {
        await context.Leave();
        filter = Validated(filter);
        var opened = Opened();
        var found = await opened.Calls.AskAsync(
            token => OpenedDeadLetters.SelectsAll(filter)
                ? opened.Queue.ListAsync(filter.Take, token)
                : opened.StoreFor("listing with a filter").ListAsync(filter, token),
            "list the dead letters",
            cancellationToken);
        return [.. found.Select(DeadLetterMapper.ToDeadLetter)];
    }

    public Task<DeadLetter?> FindAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return FindCoreAsync(id, cancellationToken);
    }

    public async Task<long> CountAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default)
    {
        await context.Leave();
        return await Opened().CountAsync(Validated(filter), "counting some of them", cancellationToken);
    }

    public Task<bool> RetryAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return RetryCoreAsync(id, cancellationToken);
    }

    public async Task<int> RetryAllAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default)
    {
        const string Operation = "retrying some of them";
        await context.Leave();
        var opened = Opened();
        try
        {
            filter = Validated(filter) with { Before = null, Take = MaxTake };
            var count = await opened.CountAsync(filter, Operation, cancellationToken);
            var retried = await opened.Calls.AskAsync(
                token => OpenedDeadLetters.SelectsAll(filter)
                    ? opened.Queue.RetryAllAsync(opened.Services.StoreTime.GetUtcNow(), token)
                    : opened.StoreFor(Operation).RetryAllAsync(filter, opened.Services.StoreTime.GetUtcNow(), token),
                "retry dead letters",
                cancellationToken,
                timeoutFactor: 1 + (count / RetriesPerTimeout));
            opened.Services.Log.RetriedAll(retried);
            return retried;
        }
        finally
        {
            opened.WakeRetries();
        }
    }

    public Task<bool> DiscardAsync(string id, string reason, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        return DiscardCoreAsync(id, reason, cancellationToken);
    }

    private async Task<DeadLetter?> FindCoreAsync(string id, CancellationToken cancellationToken)
    {
        await context.Leave();
        var opened = Opened();
        var store = opened.StoreFor("finding one");
        var entry = await opened.Calls.AskAsync(token => store.FindAsync(id, token), "find a dead letter", cancellationToken);
        return entry is null ? null : DeadLetterMapper.ToDeadLetter(entry);
    }

    private async Task<bool> RetryCoreAsync(string id, CancellationToken cancellationToken)
    {
        await context.Leave();
        var opened = Opened();
        try
        {
            var store = opened.StoreFor("retrying one");
            var retried = await opened.Calls.AskAsync(
                token => store.RetryAsync(id, opened.Services.StoreTime.GetUtcNow(), token), "retry a dead letter", cancellationToken);
            if (retried)
            {
                opened.Services.Log.Retried(id);
            }

            return retried;
        }
        finally
        {
            opened.WakeRetries();
        }
    }

    private async Task<bool> DiscardCoreAsync(string id, string reason, CancellationToken cancellationToken)
    {
        await context.Leave();
        var opened = Opened();
        try
        {
            var store = opened.StoreFor("discarding one");
            var discarded = await opened.Calls.AskAsync(token => store.DiscardAsync(id, token), "discard a dead letter", cancellationToken);
            if (discarded)
            {
                opened.Services.Log.Discarded(id, reason);
            }

            return discarded;
        }
        finally
        {
            opened.WakeRetries();
        }
    }

    private static DeadLetterFilter Validated(DeadLetterFilter? filter)
    {
        filter ??= new DeadLetterFilter();
        ArgumentOutOfRangeException.ThrowIfLessThan(filter.Take, 1, nameof(DeadLetterFilter.Take));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(filter.Take, MaxTake, nameof(DeadLetterFilter.Take));
        return filter;
    }

    private OpenedDeadLetters Opened() => access ?? throw new EventBusException(
        "The dead letters cannot be read: the bus has not started, or it has no store that keeps failures. "
        + "Start the host; add a store, for instance bus.StoreInMemory().");
}
