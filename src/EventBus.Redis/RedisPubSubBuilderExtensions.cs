using StackExchange.Redis;

namespace EventBus;

/// <summary>Chooses the Redis Pub/Sub backend.</summary>
public static class RedisPubSubBuilderExtensions
{
    /// <summary>Carries events over Redis Pub/Sub, light and lossy: whoever is connected at that moment gets the event, and nobody keeps it. For events that may be missed; <c>bus.UseRedis(...)</c> loses none.</summary>
    /// <remarks>
    /// <para>Every instance of a service gets every event, unlike on the other backends: side by side they handle it as often as there are instances, unless the subscription is idempotent.
    /// Events are lost to an instance that starts later, is being restarted, has lost its connection or is slower than they come; the log says so where it can be known.</para>
    /// <para>A handler that fails is retried all the same, and dead letters are kept: the stores are those of <c>bus.UseRedis(...)</c> (Redis 6.2 or newer), shared by all instances, so that an event that fails on several is retried once.
    /// Ordered subscriptions and <c>RequireSubscriber()</c> are refused. Channels know no database: the number in the connection string separates the stores only.</para>
    /// </remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="configuration">Where Redis is, as StackExchange.Redis writes it: <c>localhost:6379</c>. May hold a password, and is never logged.</param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder UseRedisPubSub(this EventBusBuilder bus, string configuration, Action<RedisPubSubOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(configuration);
        return Use(bus, configuration, configure);
    }

    /// <summary>Carries events over Redis Pub/Sub with the <see cref="IConnectionMultiplexer"/> that the application registers, and the default settings. See the overload with settings.</summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder UseRedisPubSub(this EventBusBuilder bus) => Use(bus, null, null);

    /// <summary>Carries events over Redis Pub/Sub with the <see cref="IConnectionMultiplexer"/> that the application registers. It is shared and never closed. What is lost and what is kept is said at the overload with a connection string.</summary>
    /// <remarks>What the application chose for its connection holds: time-outs, what is queued while it is away, and how soon it notices a wire that swallows everything.</remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="configure">Changes the settings.</param>
    public static EventBusBuilder UseRedisPubSub(this EventBusBuilder bus, Action<RedisPubSubOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Use(bus, null, configure);
    }

    private static EventBusBuilder Use(EventBusBuilder bus, string? configuration, Action<RedisPubSubOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(bus);
        RedisConnector? connector = null;
        return bus
            .UseTransport("UseRedisPubSub(...)", services => new RedisPubSubTransport(Shared(services), Options(configure), RedisBuilderExtensions.LogOf(services)))
            .UseDefaultStores(services => RedisStores.Create(Shared(services), new RedisOptions { KeyPrefix = Options(configure).KeyPrefix }, RedisBuilderExtensions.LogOf(services)));

        // One connection for both, whichever is made first.
        RedisConnector Shared(IServiceProvider services) => connector ??= RedisConnectionSource.Locate(configuration, "bus.UseRedisPubSub", services);
    }

    private static RedisPubSubOptions Options(Action<RedisPubSubOptions>? configure)
    {
        var options = new RedisPubSubOptions();
        configure?.Invoke(options);
        RedisBuilderExtensions.CheckPrefix(options.KeyPrefix, nameof(RedisPubSubOptions));
        if (options.BufferCount is < 1 or > 1_000_000)
        {
            throw new ArgumentException($"{nameof(RedisPubSubOptions)}.{nameof(options.BufferCount)} is {options.BufferCount}; 1 to 1,000,000 are allowed.");
        }

        if (options.BufferBytes is < 64 * 1024 or > 4L * 1024 * 1024 * 1024)
        {
            throw new ArgumentException($"{nameof(RedisPubSubOptions)}.{nameof(options.BufferBytes)} is {options.BufferBytes}; 64 KB to 4 GB are allowed.");
        }

        return options;
    }
}
