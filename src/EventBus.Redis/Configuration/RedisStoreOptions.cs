namespace EventBus;

/// <summary>Settings of the Redis stores.</summary>
public sealed class RedisStoreOptions
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
    /// The first part of the hash tag at the start of all keys: the stores of a service are under
    /// <c>{eventbus:service}:store:</c>. Default <c>eventbus</c>; 1 to 100 letters, digits, hyphens, underscores,
    /// colons and dots.
    /// </summary>
    [AllowedText("[A-Za-z0-9._:-]{1,100}", "1 to 100 letters, digits, hyphens, underscores, colons and dots")]
    public string KeyPrefix { get; set; } = "eventbus";
}
