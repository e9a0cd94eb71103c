using EventBus.Stores;

namespace EventBus;

/// <summary>Gives access to the dead letters of a bus that has started.</summary>
/// <param name="Queue">The dead letters.</param>
/// <param name="Calls">Limits the time of a call.</param>
/// <param name="Wake">Wake the loops of retries and of delayed events.</param>
/// <param name="Services">The clocks and the log of the bus.</param>
internal sealed record OpenedDeadLetters(DeadLetterQueue Queue, StoreCalls Calls, IReadOnlyList<WakeSignal> Wake, BusServices Services)
{
    /// <summary>True if a filter selects all dead letters, which a queue of a broker can count and retry too.</summary>
    public static bool SelectsAll(DeadLetterFilter filter) =>
        filter.Subscription is null
        && filter.EventName is null
        && filter.EventId is null
        && filter.Reason is null
        && filter.Before is null;

    /// <summary>Gets the store for an operation that a queue of a broker does not support.</summary>
    /// <param name="operation">The operation, for the text of the exception.</param>
    public DeadLetterStore StoreFor(string operation) =>
        Queue as DeadLetterStore ?? throw new EventBusException(
            "The dead letters are in a queue of the broker, which can only count them, read the first and retry all; "
            + $"{operation} needs a store. Add bus.StoreInSqlite(...) or bus.StoreInRedis(...).");

    /// <summary>Counts the dead letters that a filter selects.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="operation">The operation, for the text of the exception of <see cref="StoreFor"/>.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public Task<long> CountAsync(DeadLetterFilter filter, string operation, CancellationToken cancellationToken) => Calls.AskAsync(
        token => SelectsAll(filter) ? Queue.CountAsync(token) : StoreFor(operation).CountAsync(filter, token),
        "count the dead letters",
        cancellationToken);

    /// <summary>
    /// Wakes the loops, because the dead letter or the next event of its key may be due. Called also after an error,
    /// because the store may have made the change nevertheless.
    /// </summary>
    public void WakeRetries()
    {
        foreach (var signal in Wake)
        {
            signal.Pulse();
        }
    }
}
