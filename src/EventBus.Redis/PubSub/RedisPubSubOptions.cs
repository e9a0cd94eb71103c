namespace EventBus;

/// <summary>Settings of the Redis Pub/Sub backend.</summary>
public sealed class RedisPubSubOptions
{
    /// <summary>What the names of all channels begin with: the events <c>order.placed</c> go through the channel <c>eventbus:order.placed</c>. The stores of a service are under <c>{eventbus:service}:store:</c>. Default <c>eventbus</c>; 1 to 100 letters, digits, hyphens, underscores, colons and dots.</summary>
    public string KeyPrefix { get; set; } = "eventbus";

    /// <summary>How many events a subscription holds that are not handled yet. What comes when it is full is dropped, logged and seen in the health. Default 10,000; 1 to 1,000,000.</summary>
    public int BufferCount { get; set; } = 10_000;

    /// <summary>How many bytes the events have together that a subscription holds. What comes when it is full is dropped, logged and seen in the health. Default 64 MB; 64 KB to 4 GB.</summary>
    public long BufferBytes { get; set; } = 64 * 1024 * 1024;
}
