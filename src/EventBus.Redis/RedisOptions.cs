namespace EventBus;

/// <summary>Settings of the Redis Streams backend.</summary>
public sealed class RedisOptions
{
    /// <summary>The hash tag that all keys begin with: the events of <c>order.#</c> are in the stream <c>{eventbus}:order</c>, the stores of a service under <c>{eventbus:service}:</c>. Default <c>eventbus</c>; 1 to 100 letters, digits, hyphens, underscores, colons and dots.</summary>
    public string KeyPrefix { get; set; } = "eventbus";

    /// <summary>
    /// After how long without a sign of life the unsettled events of an instance, and its lease on an ordered subscription, go to another. A living instance renews its own three times as often,
    /// however long its handlers take. Default 60 s; 100 ms to 1 day.
    /// </summary>
    public TimeSpan ClaimAfter { get; set; } = TimeSpan.FromSeconds(60);
}
