namespace EventBus;

/// <summary>Settings of the in-memory backend.</summary>
public sealed class InMemoryOptions
{
    /// <summary>
    /// The number of events that each subscription queues. When the queue is full, publishers wait or fail
    /// (<see cref="QueueFullMode"/>). Default 10,000; 1 to 10,000,000.
    /// </summary>
    [AllowedRange(1, 10_000_000)]
    public int Capacity { get; set; } = 10_000;

    /// <summary>
    /// The number of events beyond the capacity that each subscription accepts from handlers. A publish of a handler
    /// never waits for room, so that a handler cannot block on its own queue. When the reserve is used up, such a
    /// publish fails at once. Default 1,000; 0 to 10,000,000.
    /// </summary>
    [AllowedRange(0, 10_000_000)]
    public int HandlerReserve { get; set; } = 1_000;

    /// <summary>
    /// The behavior of a publish outside of handlers when the queue of a subscription is full. Default: it waits, at
    /// most as long as the publish timeout (<see cref="EventBusOptions.PublishTimeout"/>).
    /// </summary>
    public QueueFullMode QueueFullMode { get; set; } = QueueFullMode.Wait;

    /// <summary>
    /// The capacity of the in-memory stores. Each subscription has room for this number of failed and waiting events,
    /// of handled events, of order keys, and of attempt counts. The whole bus has room for this number of delayed
    /// events, and of sagas. Default 100,000; 1 to 10,000,000.
    /// </summary>
    /// <remarks>
    /// From 80 % on, a warning and the health check (degraded) name the subscription and the kind of entry. A
    /// subscription without room receives no new events until there is room; its retries continue, and so do the other
    /// subscriptions. Without room for delayed events, publishing a delayed event fails. Without room for sagas,
    /// starting a saga fails.
    /// </remarks>
    [AllowedRange(1, 10_000_000)]
    public int StoreCapacity { get; set; } = 100_000;

    /// <summary>
    /// True if every published event is serialized, and each delivery and each retry reads a copy from the bytes, as on
    /// a broker. For tests: an event that cannot be written is rejected, one that cannot be read becomes a dead letter,
    /// data that JSON does not keep are missing, and no subscription sees what another changed. Default false: handlers
    /// receive the published object.
    /// </summary>
    public bool RoundTrip { get; set; }
}
