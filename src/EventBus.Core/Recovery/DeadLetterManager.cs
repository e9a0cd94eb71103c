using EventBus.Stores;

namespace EventBus;

/// <summary>Gives operators access to the dead letters of the failure store.</summary>
internal sealed class DeadLetterManager(CallerContext context, TimeProvider time) : IDeadLetters
{
    private const int MaxTake = 1_000;

    // A store is expected to retry this number of dead letters within the timeout of one call.
    private const int RetriesPerTimeout = 100;

    // Null until the bus has started.
    private Access? access;

    /// <summary>Gives access to the dead letters, because the bus has started.</summary>
    /// <param name="queue">The dead letters.</param>
    /// <param name="timeout">The maximum duration of a call.</param>
    /// <param name="wake">Wake the loops of retries and of delayed events.</param>
    /// <param name="services">The clocks and the log of the bus.</param>
    public void Open(DeadLetterQueue queue, TimeSpan timeout, IReadOnlyList<WakeSignal> wake, BusServices services) =>
        access = new Access(queue, new StoreCalls(timeout, time), wake, services);

    public async Task<IReadOnlyList<DeadLetter>> ListAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default)
    {
        await context.Leave();
        filter = Validated(filter);
        var opened = Opened();
        var found = await opened.Calls.AskAsync(
            token => SelectsAll(filter)
                ? opened.Queue.ListAsync(filter.Take, token)
                : StoreFor(opened, "listing with a filter").ListAsync(filter, token),
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
        return await CountAsync(Opened(), Validated(filter), "counting some of them", cancellationToken);
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
            var count = await CountAsync(opened, filter, Operation, cancellationToken);
            var retried = await opened.Calls.AskAsync(
                token => SelectsAll(filter)
                    ? opened.Queue.RetryAllAsync(opened.Services.StoreTime.GetUtcNow(), token)
                    : StoreFor(opened, Operation).RetryAllAsync(filter, opened.Services.StoreTime.GetUtcNow(), token),
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
        var store = StoreFor(opened, "finding one");
        var entry = await opened.Calls.AskAsync(token => store.FindAsync(id, token), "find a dead letter", cancellationToken);
        return entry is null ? null : DeadLetterMapper.ToDeadLetter(entry);
    }

    private async Task<bool> RetryCoreAsync(string id, CancellationToken cancellationToken)
    {
        await context.Leave();
        var opened = Opened();
        try
        {
            var store = StoreFor(opened, "retrying one");
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
            var store = StoreFor(opened, "discarding one");
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

    private static bool SelectsAll(DeadLetterFilter filter) =>
        filter.Subscription is null
        && filter.EventName is null
        && filter.EventId is null
        && filter.Reason is null
        && filter.Before is null;

    /// <summary>Gets the store for an operation that a queue of a broker does not support.</summary>
    private static DeadLetterStore StoreFor(Access opened, string operation) =>
        opened.Queue as DeadLetterStore ?? throw new EventBusException(
            "The dead letters are in a queue of the broker, which can only count them, read the first and retry all; "
            + $"{operation} needs a store. Add bus.StoreInSqlite(...) or bus.StoreInRedis(...).");

    private static Task<long> CountAsync(Access opened, DeadLetterFilter filter, string operation, CancellationToken cancellationToken) =>
        opened.Calls.AskAsync(
            token => SelectsAll(filter) ? opened.Queue.CountAsync(token) : StoreFor(opened, operation).CountAsync(filter, token),
            "count the dead letters",
            cancellationToken);

    private Access Opened() => access ?? throw new EventBusException(
        "The dead letters cannot be read: the bus has not started, or it has no store that keeps failures. "
        + "Start the host; add a store, for instance bus.StoreInMemory().");

    private sealed record Access(DeadLetterQueue Queue, StoreCalls Calls, IReadOnlyList<WakeSignal> Wake, BusServices Services)
    {
        /// <summary>
        /// Wakes the loops, because the dead letter or the next event of its key may be due. Called also after an
        /// error, because the store may have made the change nevertheless.
        /// </summary>
        public void WakeRetries()
        {
            foreach (var signal in Wake)
            {
                signal.Pulse();
            }
        }
    }
}
