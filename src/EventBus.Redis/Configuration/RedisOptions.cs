namespace EventBus;

/// <summary>Settings of the Redis Streams backend.</summary>
public sealed class RedisOptions
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
    /// The hash tag at the start of all keys. Events that match <c>order.#</c> are in the stream
    /// <c>{eventbus}:order</c>; the stores of a service are under <c>{eventbus:service}:store:</c>. Default
    /// <c>eventbus</c>; 1 to 100 letters, digits, hyphens, underscores, colons and dots.
    /// </summary>
    [AllowedText("[A-Za-z0-9._:-]{1,100}", "1 to 100 letters, digits, hyphens, underscores, colons and dots")]
    public string KeyPrefix { get; set; } = "eventbus";

    /// <summary>
    /// The time after which the unsettled events of an instance that has stopped responding, and its lease on an
    /// ordered subscription, pass to another instance. A running instance renews its events and its lease every third
    /// of this time, however long its handlers take. Default 60 s; 100 ms to 1 day.
    /// </summary>
    [AllowedRange("00:00:00.1", "1.00:00:00")]
    public TimeSpan ClaimAfter { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// True to remove entries from a stream after all of its consumer groups have handled them. One instance at a time
    /// trims a stream. An entry that one group has not handled stays, without a time limit; a stream that no group
    /// reads is limited by <see cref="MaxUnreadLength"/>. Set it to false if other programs read the streams without a
    /// consumer group. Default true.
    /// </summary>
    public bool Trim { get; set; } = true;

    /// <summary>
    /// The number of entries that are kept in a stream that no consumer group reads and that no known group will read
    /// again. Checked every <see cref="TrimPeriod"/> while <see cref="Trim"/> is true. The oldest entries above the
    /// limit are removed. The stream is then named once in the log, and in the data of the health check. The health
    /// check is degraded while entries are removed, and afterwards for 10 minutes or three <see cref="TrimPeriod"/>s,
    /// whichever is longer. Null for no limit. Default 100,000; at least 1.
    /// </summary>
    [AllowedRange(1, long.MaxValue)]
    public long? MaxUnreadLength { get; set; } = 100_000;

    /// <summary>
    /// The interval at which streams are trimmed and their groups checked. Default 1 min; 100 ms to 1 day.
    /// </summary>
    [AllowedRange("00:00:00.1", "1.00:00:00")]
    public TimeSpan TrimPeriod { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The time after which a consumer group that has unhandled events, but no active consumer, makes the health check
    /// degraded, because it prevents trimming. Default 7 days; 1 s to 365 days.
    /// </summary>
    [AllowedRange("00:00:01", "365.00:00:00")]
    public TimeSpan IdleGroupAfter { get; set; } = TimeSpan.FromDays(7);

    /// <summary>
    /// The maximum number of entries in a stream, checked every <see cref="TrimPeriod"/>. The oldest entries above the
    /// limit are removed even if a group has not handled them. Each such loss is logged as an error and makes the
    /// health check degraded. Default null: no limit, and no event is lost. At least 1.
    /// </summary>
    [AllowedRange(1, long.MaxValue)]
    public long? MaxLength { get; set; }
}
