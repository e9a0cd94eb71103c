using EventBus.Stores;

namespace EventBus;

/// <summary>Gives operators access to the dead letters of the failure store.</summary>
internal sealed class DeadLetterManager(CallerContext context, TimeProvider time) : IDeadLetters
{
    private const int MaxTake = 1_000;

    // The number of retries that are expected to complete within the timeout of one call.
    private const int RetriedInTime = 100;

    private Access? opened;

    /// <summary>Gives access to the dead letters, because the bus has started.</summary>
    /// <param name="queue">The dead letters.</param>
    /// <param name="timeout">The maximum duration of a call.</param>
    /// <param name="wake">Wake the loops of retries and of delayed events.</param>
    /// <param name="services">The clocks and the log of the bus.</param>
    public void Open(DeadLetterQueue queue, TimeSpan timeout, IReadOnlyList<WakeSignal> wake, BusServices services) =>
        opened = new Access(queue, new StoreCalls(timeout, time), wake, services);

    public async Task<IReadOnlyList<DeadLetter>> ListAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default)
    {
        await context.Leave();
        filter = Check(filter);
        var access = Opened();
        var found = await access.Calls.AskAsync(
            token => AsksForAll(filter)
                ? access.Queue.ListAsync(filter.Take, token)
                : Store(access, "filters and pages").ListAsync(filter, token),
            "list the dead letters",
            cancellationToken);
        return [.. found.Select(DeadLetterMapper.ToDeadLetter)];
    }

    public Task<DeadLetter?> FindAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return FindInsideAsync(id, cancellationToken);
    }

    public async Task<long> CountAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default)
    {
        await context.Leave();
        return await CountAsync(Opened(), Check(filter), "counting some of them", cancellationToken);
    }

    public Task<bool> RetryAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return RetryInsideAsync(id, cancellationToken);
    }

    public async Task<int> RetryAllAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default)
    {
        const string Retrying = "retrying some of them";
        await context.Leave();
        var access = Opened();
        try
        {
            filter = Check(filter) with { Before = null, Take = MaxTake };
            var count = await CountAsync(access, filter, Retrying, cancellationToken);
            var retried = await access.Calls.AskAsync(
                token => AsksForAll(filter)
                    ? access.Queue.RetryAllAsync(access.Services.StoreTime.GetUtcNow(), token)
                    : Store(access, Retrying).RetryAllAsync(filter, access.Services.StoreTime.GetUtcNow(), token),
                "retry dead letters",
                cancellationToken,
                turns: 1 + (count / RetriedInTime));
            access.Services.Log.RetriedAll(retried);
            return retried;
        }
        finally
        {
            access.WakeRetries();
        }
    }

    public Task<bool> DiscardAsync(string id, string reason, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        return DiscardInsideAsync(id, reason, cancellationToken);
    }

    private async Task<DeadLetter?> FindInsideAsync(string id, CancellationToken cancellationToken)
    {
        await context.Leave();
        var access = Opened();
        var store = Store(access, "finding one");
        return await access.Calls.AskAsync(token => store.FindAsync(id, token), "find a dead letter", cancellationToken) is { } entry
            ? DeadLetterMapper.ToDeadLetter(entry)
            : null;
    }

    private async Task<bool> RetryInsideAsync(string id, CancellationToken cancellationToken)
    {
        await context.Leave();
        var access = Opened();
        try
        {
            var store = Store(access, "retrying one");
            var retried = await access.Calls.AskAsync(
                token => store.RetryAsync(id, access.Services.StoreTime.GetUtcNow(), token), "retry a dead letter", cancellationToken);
            if (retried)
            {
                access.Services.Log.Retried(id);
            }

            return retried;
        }
        finally
        {
            access.WakeRetries();
        }
    }

    private async Task<bool> DiscardInsideAsync(string id, string reason, CancellationToken cancellationToken)
    {
        await context.Leave();
        var access = Opened();
        try
        {
            var store = Store(access, "discarding one");
            var discarded = await access.Calls.AskAsync(token => store.DiscardAsync(id, token), "discard a dead letter", cancellationToken);
            if (discarded)
            {
                access.Services.Log.Discarded(id, reason);
            }

            return discarded;
        }
        finally
        {
            access.WakeRetries();
        }
    }

    private static DeadLetterFilter Check(DeadLetterFilter? filter)
    {
        filter ??= new DeadLetterFilter();
        ArgumentOutOfRangeException.ThrowIfLessThan(filter.Take, 1, nameof(DeadLetterFilter.Take));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(filter.Take, MaxTake, nameof(DeadLetterFilter.Take));
        return filter;
    }

    private static bool AsksForAll(DeadLetterFilter filter) => filter == new DeadLetterFilter { Take = filter.Take };

    /// <summary>Gets the store for an operation that a queue of a broker does not support.</summary>
    private static DeadLetterStore Store(Access access, string operation) => access.Queue as DeadLetterStore ?? throw new EventBusException(
        "The dead letters are in a queue of the broker, which can only count them, read the first and retry all; "
        + $"{operation} needs a store. Add bus.StoreInSqlite(...) or bus.StoreInRedis(...).");

    private static Task<long> CountAsync(Access access, DeadLetterFilter filter, string operation, CancellationToken cancellationToken) =>
        access.Calls.AskAsync(
            token => AsksForAll(filter) ? access.Queue.CountAsync(token) : Store(access, operation).CountAsync(filter, token),
            "count the dead letters",
            cancellationToken);

    private Access Opened() => opened ?? throw new EventBusException(
        "The dead letters cannot be read: the bus has not started, or it has no store that keeps failures. "
        + "Start the host; add a store, for instance bus.StoreInMemory().");

    private sealed record Access(DeadLetterQueue Queue, StoreCalls Calls, IReadOnlyList<WakeSignal> Wake, BusServices Services)
    {
        /// <summary>
        /// Wakes the loops, because the next event of a key may be due. Also after a failure, because the store may
        /// have made the change nevertheless.
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
