using EventBus.Transports;
using Microsoft.Extensions.Configuration;
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
    /// <param name="connectionString">
    /// The connection string in the format of StackExchange.Redis, <c>localhost:6379</c>, or an address such as
    /// <c>redis://user:password@host:6379/0</c> (<c>rediss://</c> for TLS). It may contain a password and is never
    /// logged.
    /// </param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder UseRedisPubSub(
        this EventBusBuilder bus,
        string connectionString,
        Action<RedisPubSubOptions>? configure = null) =>
        Use(bus, Options(bus).Configure(options => options.ConnectionString = connectionString ?? "").Configure(configure));

    /// <summary>
    /// Uses Redis Pub/Sub as the transport, with settings from configuration. Without
    /// <see cref="RedisPubSubOptions.ConnectionString"/>, the <see cref="IConnectionMultiplexer"/> that the application
    /// registers is used. See the other overloads.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="section">
    /// The section of <see cref="RedisPubSubOptions"/>, for instance
    /// <c>configuration.GetSection("EventBus:RedisPubSub")</c>. A key that is not a setting is an error when the bus
    /// starts.
    /// </param>
    public static EventBusBuilder UseRedisPubSub(this EventBusBuilder bus, IConfiguration section) =>
        Use(bus, Options(bus).Bind(section, static (section, options) => section.Bind(options)));

    /// <summary>
    /// Uses Redis Pub/Sub as the transport, with the <see cref="IConnectionMultiplexer"/> that the application
    /// registers and the default settings. See the overload that also takes settings for such a multiplexer.
    /// </summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder UseRedisPubSub(this EventBusBuilder bus) =>
        Use(bus, Options(bus));

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
        return Use(bus, Options(bus).Configure(configure));
    }

    private static EventBusBuilder Use(EventBusBuilder bus, BackendConfiguration<RedisPubSubOptions> options)
    {
        RedisConnector? connector = null;
        return bus
            .UseTransport(
                "UseRedisPubSub(...)",
                services => new RedisPubSubTransport(Shared(services), options.Get(services), Log.Create(services)))
            .UseDefaultStores(
                services => new RedisStores(Shared(services), options.Get(services).KeyPrefix, Log.Create(services)));

        // The transport and the stores share one connection, which the first of them opens.
        RedisConnector Shared(IServiceProvider services) =>
            connector ??= RedisConnectionSource.Locate(options.Get(services).ConnectionString, "bus.UseRedisPubSub", services);
    }

    private static BackendConfiguration<RedisPubSubOptions> Options(EventBusBuilder bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        return new BackendConfiguration<RedisPubSubOptions>(bus.Services, bus.Key, new RedisPubSubOptionsValidator());
    }
}
