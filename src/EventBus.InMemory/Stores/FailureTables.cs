using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Contains the tables of the failure store, each with a limit. Not thread-safe.</summary>
internal sealed class FailureTables
{
    private readonly StoreCapacity[] limits;

    /// <summary>Creates empty tables.</summary>
    /// <param name="capacity">The maximum number of rows of each table, per subscription.</param>
    /// <param name="log">The log for shortages.</param>
    public FailureTables(int capacity, ILogger log)
    {
        var entryLimit = new StoreCapacity("failed and waiting events", "Retry or discard its dead letters", capacity, log);
        var orderKeyLimit = new StoreCapacity("order keys", "Use fewer keys", capacity, log);
        var attemptLimit = new StoreCapacity("attempt counts", "Find out why its events are delivered again", capacity, log);
        limits = [entryLimit, orderKeyLimit, attemptLimit];
        Orders = new OrderKeyTable(orderKeyLimit);
        Entries = new FailureTable(entryLimit, Orders);
        Attempts = new AttemptCounts(attemptLimit);
    }

    public FailureTable Entries { get; }

    public OrderKeyTable Orders { get; }

    public AttemptCounts Attempts { get; }

    /// <summary>Describes the subscriptions that are short of room.</summary>
    public IReadOnlyCollection<string> Shortages() => [.. limits.SelectMany(limit => limit.Shortages())];
}
