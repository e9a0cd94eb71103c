namespace EventBus;

/// <summary>Settings of the in-memory backend.</summary>
public sealed class InMemoryOptions
{
    /// <summary>How many events each subscription queues. When it is full, its publishers wait or fail (<see cref="QueueFullMode"/>). Default 10,000; 1 to 10,000,000.</summary>
    public int Capacity { get; set; } = 10_000;

    /// <summary>How many events beyond the capacity a subscription takes from handlers, which never wait, so that a handler cannot wait for itself. Beyond that their publish fails at once. Default 1,000; 0 to 10,000,000.</summary>
    public int HandlerReserve { get; set; } = 1_000;

    /// <summary>What a publisher that is no handler does when a subscription is full. Default: it waits, at most as long as the publish time-out.</summary>
    public QueueFullMode QueueFullMode { get; set; } = QueueFullMode.Wait;

    /// <summary>
    /// How many failed and waiting events, handled events, order keys and counted starts the in-memory stores keep of each subscription, each; and how many delayed events and sagas, each in all. Default 100,000; 1 to 10,000,000.
    /// </summary>
    /// <remarks>
    /// At 80 % a warning and the health check (degraded) name the subscription and what fills its room. A subscription without room takes no new events until there is some; its retries run, and so do the other
    /// subscriptions. Without room for delayed events the publish that asks for one fails, and without room for sagas the start of one.
    /// </remarks>
    public int StoreCapacity { get; set; } = 100_000;
}
