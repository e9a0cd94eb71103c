using EventBus.Stores;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Gives operators access to the dead letters of the failure store.</summary>
internal sealed class DeadLetterManager(CallerContext door, TimeProvider time) : IDeadLetters
{
    private const int MaxTake = 1_000;

    // The number of retries that are expected to complete within the timeout of one call.
    private const int RetriedInTime = 100;

    private (FailureStore Store, StoreCalls Calls, Action Wake, ILogger Log)? opened;
    private TimeProvider? plans;

    /// <param name="store">The store of the dead letters.</param>
    /// <param name="planBy">The clock that schedules retries.</param>
    /// <param name="timeout">The maximum duration of a call.</param>
    /// <param name="wake">Called when retries may be due.</param>
    /// <param name="log">The log of the changes that are made.</param>
    public void Open(FailureStore store, TimeProvider planBy, TimeSpan timeout, Action wake, ILogger log) => (plans, opened) = (planBy, (store, new StoreCalls(timeout, time), wake, log));

    public Task<IReadOnlyList<DeadLetter>> ListAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default)
    {
        return door.EnterAsync<IReadOnlyList<DeadLetter>>(async () =>
        {
            filter = Check(filter);
            if (filter != new DeadLetterFilter { Take = filter.Take })
            {
                Keyed("filters and pages");
            }

            var (store, calls, _, _) = Opened();
            return [.. (await calls.AskAsync(token => store.ListDeadAsync(filter, token), "list the dead letters", cancellationToken)).Select(DeadLetterMapper.Show)];
        });
    }

    public Task<DeadLetter?> FindAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return door.EnterAsync<DeadLetter?>(async () =>
        {
            var (store, calls, _, _) = Keyed("finding one");
            return await calls.AskAsync(token => store.FindDeadAsync(id, token), "find a dead letter", cancellationToken) is { } entry ? DeadLetterMapper.Show(entry) : null;
        });
    }

    public Task<long> CountAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default) =>
        door.EnterAsync(async () =>
        {
            filter = Check(filter);
            var (store, calls, _, _) = filter == new DeadLetterFilter { Take = filter.Take } ? Opened() : Keyed("counting some of them");
            return await calls.AskAsync(token => store.CountDeadAsync(filter, token), "count the dead letters", cancellationToken);
        });

    public Task<bool> RetryAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return door.EnterAsync(async () =>
        {
            var (store, calls, wake, log) = Keyed("retrying one");
            try
            {
                var revived = await calls.AskAsync(token => store.RetryDeadAsync(id, plans!.GetUtcNow(), token), "retry a dead letter", cancellationToken);
                if (revived)
                {
                    log.Retried(id);
                }

                return revived;
            }
            finally
            {
                // Also after a failure: the store may have made the change.
                wake();
            }
        });
    }

    public Task<int> RetryAllAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default)
    {
        return door.EnterAsync(async () =>
        {
            filter = Check(filter) with { Before = null, Take = MaxTake };
            var (store, calls, wake, log) = filter == new DeadLetterFilter { Take = MaxTake } ? Opened() : Keyed("retrying some of them");
            var count = await calls.AskAsync(token => store.CountDeadAsync(filter, token), "count the dead letters", cancellationToken);
            try
            {
                var revived = await calls.AskAsync(token => store.RetryAllDeadAsync(filter, plans!.GetUtcNow(), token), "retry dead letters", cancellationToken, turns: 1 + (count / RetriedInTime));
                log.RetriedAll(revived);
                return revived;
            }
            finally
            {
                // Also after a failure: some of them may be due.
                wake();
            }
        });
    }

    public Task<bool> DiscardAsync(string id, string reason, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        ArgumentException.ThrowIfNullOrWhiteSpace(reason);
        return door.EnterAsync(async () =>
        {
            var (store, calls, wake, log) = Keyed("discarding one");
            try
            {
                var discarded = await calls.AskAsync(token => store.DiscardAsync(id, token), "discard a dead letter", cancellationToken);
                if (discarded)
                {
                    log.Discarded(id, reason);
                }

                return discarded;
            }
            finally
            {
                // Also after a failure: the next event of the same key may be due.
                wake();
            }
        });
    }

    private static DeadLetterFilter Check(DeadLetterFilter? filter)
    {
        filter ??= new DeadLetterFilter();
        ArgumentOutOfRangeException.ThrowIfLessThan(filter.Take, 1, nameof(DeadLetterFilter.Take));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(filter.Take, MaxTake, nameof(DeadLetterFilter.Take));
        return filter;
    }

    private (FailureStore Store, StoreCalls Calls, Action Wake, ILogger Log) Opened() =>
        opened ?? throw new EventBusException("The dead letters cannot be read: the bus has not started, or it has no store that keeps failures. Start the host; add a store, for instance bus.StoreInMemory().");

    /// <summary>Gets the store for an operation that a broker queue does not support.</summary>
    private (FailureStore Store, StoreCalls Calls, Action Wake, ILogger Log) Keyed(string what) =>
        Opened() is { Store.IsKeyed: true } opened ? opened : throw new NotSupportedException($"The dead letters are in a queue of the broker, which can only count them, read the first and retry all; {what} needs a store. Add bus.StoreInSqlite(...) or bus.StoreInRedis(...).");
}
