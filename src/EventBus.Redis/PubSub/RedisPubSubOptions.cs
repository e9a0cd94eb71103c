namespace EventBus;

/// <summary>Settings of the Redis Pub/Sub backend.</summary>
public sealed class RedisPubSubOptions
{
    /// <summary>
    /// The connection string in the format of StackExchange.Redis, <c>localhost:6379</c>, or an address such as
    /// <c>redis://user:password@host:6379/0</c> (<c>rediss://</c> for TLS). It may contain a password and is never
    /// logged. Default null: the <see cref="StackExchange.Redis.IConnectionMultiplexer"/> that the application
    /// registers.
    /// </summary>
    [AllowedText(@"(?s:.*\S.*)", "connection strings such as localhost:6379", AllowsNull = true)]
    public string? ConnectionString { get; set; }

    /// <summary>
    /// The prefix of all channel names: events named <c>order.placed</c> use the channel <c>eventbus:order.placed</c>.
    /// The stores of a service are under <c>{eventbus:service}:store:</c>. Default <c>eventbus</c>; 1 to 100 letters,
    /// digits, hyphens, underscores, colons and dots.
    /// </summary>
    [AllowedText("[A-Za-z0-9._:-]{1,100}", "1 to 100 letters, digits, hyphens, underscores, colons and dots")]
    public string KeyPrefix { get; set; } = "eventbus";

    /// <summary>
    /// The maximum number of unsettled events that a subscription holds. Further events are dropped; the drops are
    /// logged and make the health check degraded. Default 10,000; 1 to 1,000,000.
    /// </summary>
    [AllowedRange(1, 1_000_000)]
    public int BufferCount { get; set; } = 10_000;

    /// <summary>
    /// The maximum total size in bytes of the events that a subscription holds. Further events are dropped; the drops
    /// are logged and make the health check degraded. If it holds no other event, an event of any size is accepted.
    /// Default 64 MB; 64 KB to 4 GB.
    /// </summary>
    [AllowedRange(64 * 1024, 4L * 1024 * 1024 * 1024)]
    public long BufferBytes { get; set; } = 64 * 1024 * 1024;
}
