using StackExchange.Redis;

namespace EventBus;

/// <summary>Selects Redis Pub/Sub as the transport.</summary>
public static class RedisPubSubBuilderExtensions
{
    /// <summary>
    /// Uses Redis Pub/Sub as the transport. Redis does not store events: only subscribers that are connected when an
    /// event is published receive it. Use it for events that may be missed; <c>bus.UseRedis(...)</c> loses none.
    /// </summary>
    /// <remarks>
    /// <para>Unlike with the other backends, every instance of a service receives every event. With several instances
    /// an event is handled once on each of them, unless the subscription is idempotent. An instance loses events that
    /// are published before it starts, during a restart or while it is disconnected, and events that arrive faster than
    /// it handles them. Losses that can be detected are logged.</para>
    /// <para>A handler that fails is retried, and dead letters are kept. The stores are those of
    /// <c>bus.UseRedis(...)</c> (Redis 6.2 or newer). All instances share them, so an event that fails on several
    /// instances is retried once. Ordered subscriptions and <c>RequireSubscriber()</c> are refused. Channels do not
    /// belong to a database: the database number in the connection string separates only the stores.</para>
    /// </remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="configuration">
    /// The connection string in the format of StackExchange.Redis: <c>localhost:6379</c>. It may contain a password and
    /// is never logged.
    /// </param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder UseRedisPubSub(this EventBusBuilder bus, string configuration, Action<RedisPubSubOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(configuration);
        return Use(bus, configuration, configure);
    }

    /// <summary>
    /// Uses Redis Pub/Sub as the transport, with the <see cref="IConnectionMultiplexer"/> that the application
    /// registers and the default settings. See the overload with settings.
    /// </summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder UseRedisPubSub(this EventBusBuilder bus) => Use(bus, null, null);

    /// <summary>
    /// Uses Redis Pub/Sub as the transport, with the <see cref="IConnectionMultiplexer"/> that the application
    /// registers. The multiplexer is shared and never closed. The overload with a connection string describes which
    /// events are lost.
    /// </summary>
    /// <remarks>
    /// The application's own settings apply to the connection: its timeouts, the commands that it queues while it is
    /// disconnected, and the time after which it detects a connection that transfers no data.
    /// </remarks>
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
            .UseDefaultStores(services => new RedisStores(Shared(services), new RedisOptions { KeyPrefix = Options(configure).KeyPrefix }, RedisBuilderExtensions.LogOf(services)));

        // The transport and the stores share one connection. The first to be created opens it.
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
