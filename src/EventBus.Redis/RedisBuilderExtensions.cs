using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Chooses the Redis backend.</summary>
public static class RedisBuilderExtensions
{
    /// <summary>Carries events over Redis Streams (Redis 6.2 or newer): one stream for the first word of the event names, one consumer group for each subscription.</summary>
    /// <remarks>A stream keeps every event until all of its groups have handled it, and is trimmed then (<see cref="RedisOptions.Trim"/>); a group that nobody uses any more makes the health check degraded. Instances side by side share a subscription; of an ordered one a single instance is active, by a lease, and the others stand by.</remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="configuration">Where Redis is, as StackExchange.Redis writes it: <c>localhost:6379</c>. May hold a password, and is never logged.</param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder UseRedis(this EventBusBuilder bus, string configuration, Action<RedisOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(configuration);
        return Use(bus, configuration, configure);
    }

    /// <summary>Carries events over Redis Streams with the <see cref="IConnectionMultiplexer"/> that the application registers, and the default settings. See the overload with settings.</summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder UseRedis(this EventBusBuilder bus) => Use(bus, null, null);

    /// <summary>Carries events over Redis Streams with the <see cref="IConnectionMultiplexer"/> that the application registers. It is shared and never closed; only reading, which blocks, takes connections of its own.</summary>
    /// <remarks>
    /// Those are made of its configuration as text (<see cref="IConnectionMultiplexer.Configuration"/>): user, password and TLS are kept; certificates, callbacks and tokens that were given to it as code are not, and Redis refusing them is an error at the start.
    /// What the application chose for its connection holds: time-outs, what is queued while it is away, and how soon it notices a wire that swallows everything; the bus cannot replace one that hangs. For the rest see the overload with a connection string.
    /// </remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="configure">Changes the settings.</param>
    public static EventBusBuilder UseRedis(this EventBusBuilder bus, Action<RedisOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Use(bus, null, configure);
    }

    /// <summary>Keeps retries, dead letters, delayed events, sagas and what idempotent subscriptions have handled in Redis (6.2 or newer), beside a backend that is no store. Comes with <c>bus.UseRedis(...)</c>.</summary>
    /// <remarks>
    /// The instances of an application share them: their keys begin with <c>{prefix:service}</c>. Redis keeps what it accepted over a restart only with an append-only file (<c>appendonly yes</c>),
    /// and must not evict keys (<c>maxmemory-policy noeviction</c>, its default). What a handler does elsewhere is no part of the commit that marks its event handled.
    /// </remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="configuration">Where Redis is, as StackExchange.Redis writes it: <c>localhost:6379</c>. May hold a password, and is never logged.</param>
    /// <param name="configure">Changes the settings; null for the defaults. <see cref="RedisOptions.ClaimAfter"/> is of no use here.</param>
    public static EventBusBuilder StoreInRedis(this EventBusBuilder bus, string configuration, Action<RedisOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(configuration);
        return Store(bus, configuration, configure);
    }

    /// <summary>Keeps in Redis what stores keep, with the <see cref="IConnectionMultiplexer"/> that the application registers, and the default settings. It is shared and never closed.</summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder StoreInRedis(this EventBusBuilder bus) => Store(bus, null, null);

    /// <summary>Keeps in Redis what stores keep, with the <see cref="IConnectionMultiplexer"/> that the application registers. It is shared and never closed. For the rest see the overload with a connection string.</summary>
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
            .UseDefaultStores(services => RedisStores.Create(Shared(services), Options(configure), LogOf(services)));

        // One connection for both, whichever is made first.
        RedisConnector Shared(IServiceProvider services) => connector ??= RedisConnectionSource.Locate(configuration, "bus.UseRedis", services);
    }

    private static EventBusBuilder Store(EventBusBuilder bus, string? configuration, Action<RedisOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus.UseStores(services => RedisStores.Create(RedisConnectionSource.Locate(configuration, "bus.StoreInRedis", services), Options(configure), LogOf(services)));
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
