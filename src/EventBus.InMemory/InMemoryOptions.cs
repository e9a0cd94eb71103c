namespace EventBus;

/// <summary>Settings of the in-memory backend.</summary>
public sealed class InMemoryOptions
{
    /// <summary>How many events each subscription queues. When it is full, its publishers wait or fail (<see cref="WhenFull"/>). Default 10,000; 1 to 10,000,000.</summary>
    public int Capacity { get; set; } = 10_000;

    /// <summary>How many events beyond the capacity a subscription takes from handlers, which never wait, so that a handler cannot wait for itself. Beyond that their publish fails at once. Default 1,000; 0 to 10,000,000.</summary>
    public int HandlerReserve { get; set; } = 1_000;

    /// <summary>What a publisher that is no handler does when a subscription is full. Default: it waits, at most as long as the publish time-out.</summary>
    public WhenFull WhenFull { get; set; } = WhenFull.Wait;

    /// <summary>How many failed and waiting events, delayed events, handled events of idempotent subscriptions, keys of order guards, and sagas the in-memory stores keep, each. When one is full, events that need it stay unacknowledged, delayed publishes fail, and no saga is started. Default 100,000; 1 to 10,000,000.</summary>
    public int StoreCapacity { get; set; } = 100_000;
}

/// <summary>What a publisher does when a subscription is full.</summary>
public enum WhenFull
{
    /// <summary>It waits for room, at most as long as the publish time-out: back-pressure.</summary>
    Wait,

    /// <summary>The publish fails at once.</summary>
    Fail,
}
