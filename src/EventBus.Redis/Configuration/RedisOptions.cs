namespace EventBus;

/// <summary>Settings of the Redis Streams backend.</summary>
public sealed class RedisOptions
{
    /// <summary>The hash tag that all keys begin with: the events of <c>order.#</c> are in the stream <c>{eventbus}:order</c>, the stores of a service under <c>{eventbus:service}:store:</c>. Default <c>eventbus</c>; 1 to 100 letters, digits, hyphens, underscores, colons and dots.</summary>
    public string KeyPrefix { get; set; } = "eventbus";

    /// <summary>
    /// After how long without a sign of life the unsettled events of an instance, and its lease on an ordered subscription, go to another. A living instance renews its own three times as often,
    /// however long its handlers take. Default 60 s; 100 ms to 1 day.
    /// </summary>
    public TimeSpan ClaimAfter { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Whether to cut off a stream what all of its consumer groups have handled, by one instance at a time. Whatever one group has not handled stays, however long that takes; a stream that no group reads is bounded by <see cref="MaxUnreadLength"/>.
    /// Switch it off where other programs read the streams without a consumer group. Default true.
    /// </summary>
    public bool Trim { get; set; } = true;

    /// <summary>
    /// How many entries a stream keeps that no consumer group reads and that has no group to come back, looked at every <see cref="TrimPeriod"/>. The oldest beyond are cut off: the stream is named once in the log and in the data of the
    /// health check, which is degraded while something is cut off and for 10 minutes, or three <see cref="TrimPeriod"/>s, afterwards. Null for no limit. Default 100,000; at least 1.
    /// </summary>
    public long? MaxUnreadLength { get; set; } = 100_000;

    /// <summary>How often streams are trimmed and their groups looked at. Default 1 min; 100 ms to 1 day.</summary>
    public TimeSpan TrimPeriod { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>After how long a consumer group that leaves events alone, while none of its consumers is there, makes the health check degraded: it holds up the trimming. Default 7 days; 1 s to 365 days.</summary>
    public TimeSpan IdleGroupAfter { get; set; } = TimeSpan.FromDays(7);

    /// <summary>
    /// How many entries a stream keeps at most, looked at every <see cref="TrimPeriod"/>. What is beyond is cut off even where a group has not handled it: that is logged as an error, and makes the health check degraded.
    /// Default null: no limit, and nothing is lost.
    /// </summary>
    public long? MaxLength { get; set; }
}
