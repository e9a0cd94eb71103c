using EventBus.Transports;
using Microsoft.Extensions.Configuration;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Selects Redis Streams as the transport, or Redis for the stores.</summary>
public static class RedisBuilderExtensions
{
    /// <summary>
    /// Uses Redis Streams (Redis 6.2 or newer) as the transport. Events whose names share the first word are in one
    /// stream, and each subscription is one consumer group.
    /// </summary>
    /// <remarks>
    /// A stream keeps every event until all of its groups have handled it; then the event is trimmed
    /// (<see cref="RedisOptions.Trim"/>). A group that is no longer used makes the health check degraded. Several
    /// instances share a subscription. Of an ordered subscription, only the instance that holds a lease is active; the
    /// others stand by.
    /// </remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="connectionString">
    /// The connection string in the format of StackExchange.Redis, <c>localhost:6379</c>, or an address such as
    /// <c>redis://user:password@host:6379/0</c> (<c>rediss://</c> for TLS). It may contain a password and is never
    /// logged.
    /// </param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder UseRedis(this EventBusBuilder bus, string connectionString, Action<RedisOptions>? configure = null) =>
        Use(bus, Options(bus).Configure(options => options.ConnectionString = connectionString ?? "").Configure(configure));

    /// <summary>
    /// Uses Redis Streams as the transport, with settings from configuration. Without
    /// <see cref="RedisOptions.ConnectionString"/>, the <see cref="IConnectionMultiplexer"/> that the application
    /// registers is used. See the other overloads.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="section">
    /// The section of <see cref="RedisOptions"/>, for instance
    /// <c>configuration.GetSection("EventBus:Redis")</c>. A key that is not a setting is an error when the bus starts.
    /// </param>
    public static EventBusBuilder UseRedis(this EventBusBuilder bus, IConfiguration section) =>
        Use(bus, Options(bus).Bind(section, static (section, options) => section.Bind(options)));

    /// <summary>
    /// Uses Redis Streams as the transport, with the <see cref="IConnectionMultiplexer"/> that the application
    /// registers and the default settings. See the overload that also takes settings for such a multiplexer.
    /// </summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder UseRedis(this EventBusBuilder bus) =>
        Use(bus, Options(bus));

    /// <summary>
    /// Uses Redis Streams as the transport, with the <see cref="IConnectionMultiplexer"/> that the application
    /// registers. The multiplexer is shared and never closed. Blocking reads use separate connections.
    /// </summary>
    /// <remarks>
    /// The separate connections are created from the text of the multiplexer's configuration
    /// (<see cref="IConnectionMultiplexer.Configuration"/>). The text includes user, password and TLS. It does not
    /// include certificates, callbacks and tokens that were set in code. If Redis refuses such a connection, the start
    /// fails. The application's own settings apply to the shared connection: its timeouts, the commands that it queues
    /// while it is disconnected, and the time after which it detects a connection that transfers no data. The bus
    /// cannot replace a connection that hangs. For everything else see the overload with a connection string.
    /// </remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="configure">Changes the settings.</param>
    public static EventBusBuilder UseRedis(this EventBusBuilder bus, Action<RedisOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Use(bus, Options(bus).Configure(configure));
    }

    /// <summary>
    /// Keeps retries, dead letters, delayed events, sagas and the handled events of idempotent subscriptions in Redis
    /// (6.2 or newer), for a transport that has no durable stores. <c>bus.UseRedis(...)</c> includes this.
    /// </summary>
    /// <remarks>
    /// The instances of an application share the stores: their keys begin with <c>{prefix:service}</c>. Redis keeps
    /// accepted data across a restart only with an append-only file (<c>appendonly yes</c>), and must not evict keys
    /// (<c>maxmemory-policy noeviction</c>, its default). The commit that marks an event as handled does not include
    /// what the handler does in other systems.
    /// </remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="connectionString">
    /// The connection string in the format of StackExchange.Redis, <c>localhost:6379</c>, or an address such as
    /// <c>redis://user:password@host:6379/0</c> (<c>rediss://</c> for TLS). It may contain a password and is never
    /// logged.
    /// </param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder StoreInRedis(
        this EventBusBuilder bus,
        string connectionString,
        Action<RedisStoreOptions>? configure = null) =>
        Store(bus, StoreOptions(bus).Configure(options => options.ConnectionString = connectionString ?? "").Configure(configure));

    /// <summary>
    /// Keeps the stores in Redis, with settings from configuration. Without
    /// <see cref="RedisStoreOptions.ConnectionString"/>, the <see cref="IConnectionMultiplexer"/> that the application
    /// registers is used. See the other overloads.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="section">
    /// The section of <see cref="RedisStoreOptions"/>, for instance <c>configuration.GetSection("EventBus:Redis")</c>.
    /// A key that is not a setting is an error when the bus starts.
    /// </param>
    public static EventBusBuilder StoreInRedis(this EventBusBuilder bus, IConfiguration section) =>
        Store(bus, StoreOptions(bus).Bind(section, static (section, options) => section.Bind(options)));

    /// <summary>
    /// Keeps the stores in Redis, with the <see cref="IConnectionMultiplexer"/> that the application registers and the
    /// default settings. The multiplexer is shared and never closed.
    /// </summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder StoreInRedis(this EventBusBuilder bus) =>
        Store(bus, StoreOptions(bus));

    /// <summary>
    /// Keeps the stores in Redis, with the <see cref="IConnectionMultiplexer"/> that the application registers. The
    /// multiplexer is shared and never closed. For everything else see the overload with a connection string.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="configure">Changes the settings.</param>
    public static EventBusBuilder StoreInRedis(this EventBusBuilder bus, Action<RedisStoreOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Store(bus, StoreOptions(bus).Configure(configure));
    }

    private static EventBusBuilder Use(EventBusBuilder bus, BackendConfiguration<RedisOptions> options)
    {
        RedisConnector? connector = null;
        return bus
            .UseTransport("UseRedis(...)", services => new RedisTransport(Shared(services), options.Get(services), Log.Create(services)))
            .UseDefaultStores(services => new RedisStores(Shared(services), options.Get(services).KeyPrefix, Log.Create(services)));

        // The transport and the stores share one connection, which the first of them opens.
        RedisConnector Shared(IServiceProvider services) =>
            connector ??= RedisConnectionSource.Locate(options.Get(services).ConnectionString, "bus.UseRedis", services);
    }

    private static EventBusBuilder Store(EventBusBuilder bus, BackendConfiguration<RedisStoreOptions> options) => bus.UseStores(services =>
    {
        var settings = options.Get(services);
        return new RedisStores(
            RedisConnectionSource.Locate(settings.ConnectionString, "bus.StoreInRedis", services),
            settings.KeyPrefix,
            Log.Create(services));
    });

    private static BackendConfiguration<RedisOptions> Options(EventBusBuilder bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        return new BackendConfiguration<RedisOptions>(bus.Services, bus.Key, new RedisOptionsValidator());
    }

    private static BackendConfiguration<RedisStoreOptions> StoreOptions(EventBusBuilder bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        return new BackendConfiguration<RedisStoreOptions>(bus.Services, bus.Key, new RedisStoreOptionsValidator());
    }
}
