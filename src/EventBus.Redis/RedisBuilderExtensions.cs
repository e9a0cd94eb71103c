using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
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
    /// <param name="configuration">
    /// The connection string in the format of StackExchange.Redis: <c>localhost:6379</c>. It may contain a password and
    /// is never logged.
    /// </param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder UseRedis(this EventBusBuilder bus, string configuration, Action<RedisOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(configuration);
        return Use(bus, configuration, configure);
    }

    /// <summary>
    /// Uses Redis Streams as the transport, with the <see cref="IConnectionMultiplexer"/> that the application
    /// registers and the default settings. See the overload with settings.
    /// </summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder UseRedis(this EventBusBuilder bus) => Use(bus, null, null);

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
        return Use(bus, null, configure);
    }

    /// <summary>
    /// Keeps retries, dead letters, delayed events, sagas and the handled events of idempotent subscriptions in Redis
    /// (6.2 or newer), in addition to a transport that has no stores. <c>bus.UseRedis(...)</c> includes this.
    /// </summary>
    /// <remarks>
    /// The instances of an application share the stores: their keys begin with <c>{prefix:service}</c>. Redis keeps
    /// accepted data across a restart only with an append-only file (<c>appendonly yes</c>), and must not evict keys
    /// (<c>maxmemory-policy noeviction</c>, its default). The commit that marks an event as handled does not include
    /// what the handler does in other systems.
    /// </remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="configuration">
    /// The connection string in the format of StackExchange.Redis: <c>localhost:6379</c>. It may contain a password and
    /// is never logged.
    /// </param>
    /// <param name="configure">
    /// Changes the settings; null for the defaults. <see cref="RedisOptions.ClaimAfter"/> has no effect here.
    /// </param>
    public static EventBusBuilder StoreInRedis(this EventBusBuilder bus, string configuration, Action<RedisOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(configuration);
        return Store(bus, configuration, configure);
    }

    /// <summary>
    /// Keeps the stores in Redis, with the <see cref="IConnectionMultiplexer"/> that the application registers and the
    /// default settings. The multiplexer is shared and never closed.
    /// </summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder StoreInRedis(this EventBusBuilder bus) => Store(bus, null, null);

    /// <summary>
    /// Keeps the stores in Redis, with the <see cref="IConnectionMultiplexer"/> that the application registers. The
    /// multiplexer is shared and never closed. For everything else see the overload with a connection string.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="configure">Changes the settings.</param>
    public static EventBusBuilder StoreInRedis(this EventBusBuilder bus, Action<RedisOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Store(bus, null, configure);
    }

    private static EventBusBuilder Use(EventBusBuilder bus, string? configuration, Action<RedisOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(bus);
        RedisConnector? connector = null;
        return bus
            .UseTransport("UseRedis(...)", services => new RedisTransport(Shared(services), Options(configure), LogOf(services)))
            .UseDefaultStores(services => new RedisStores(Shared(services), Options(configure), LogOf(services)));

        // The transport and the stores share one connection. The first to be created opens it.
        RedisConnector Shared(IServiceProvider services) => connector ??= RedisConnectionSource.Locate(configuration, "bus.UseRedis", services);
    }

    private static EventBusBuilder Store(EventBusBuilder bus, string? configuration, Action<RedisOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus.UseStores(services => new RedisStores(RedisConnectionSource.Locate(configuration, "bus.StoreInRedis", services), Options(configure), LogOf(services)));
    }

    internal static ILogger LogOf(IServiceProvider services) => BackendLog.Create(services.GetService<ILoggerFactory>(), "EventBus.Redis", services.GetService<TimeProvider>());

    private static RedisOptions Options(Action<RedisOptions>? configure)
    {
        var options = new RedisOptions();
        configure?.Invoke(options);
        CheckPrefix(options.KeyPrefix, nameof(RedisOptions));
        if (options.ClaimAfter < TimeSpan.FromMilliseconds(100) || options.ClaimAfter > TimeSpan.FromDays(1))
        {
            throw new ArgumentException($"{nameof(RedisOptions)}.{nameof(options.ClaimAfter)} is {options.ClaimAfter}; 100 ms to 1 day are allowed.");
        }

        Range(options.TrimPeriod, TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1), nameof(options.TrimPeriod));
        Range(options.IdleGroupAfter, TimeSpan.FromSeconds(1), TimeSpan.FromDays(365), nameof(options.IdleGroupAfter));
        if (options.MaxLength < 1)
        {
            throw new ArgumentException($"{nameof(RedisOptions)}.{nameof(options.MaxLength)} is {options.MaxLength}; at least 1 is allowed, or null for no limit.");
        }

        if (options.MaxUnreadLength < 1)
        {
            throw new ArgumentException($"{nameof(RedisOptions)}.{nameof(options.MaxUnreadLength)} is {options.MaxUnreadLength}; at least 1 is allowed, or null for no limit.");
        }

        return options;
    }

    private static void Range(TimeSpan value, TimeSpan least, TimeSpan most, string name)
    {
        if (value < least || value > most)
        {
            throw new ArgumentException($"{nameof(RedisOptions)}.{name} is {value}; {least} to {most} are allowed.");
        }
    }

    internal static void CheckPrefix(string prefix, string options)
    {
        if (prefix is not { Length: > 0 and <= 100 } || !prefix.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or ':' or '.'))
        {
            throw new ArgumentException($"{options}.{nameof(RedisOptions.KeyPrefix)} is '{prefix}'; 1 to 100 letters, digits, hyphens, underscores, colons and dots are allowed.");
        }
    }
}
