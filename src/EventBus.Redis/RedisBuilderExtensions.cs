using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Chooses the Redis backend.</summary>
public static class RedisBuilderExtensions
{
    /// <summary>Carries events over Redis Streams (Redis 6.2 or newer): one stream for the first word of the event names, one consumer group for each subscription.</summary>
    /// <remarks>The streams are not trimmed: they keep every event until somebody trims them with <c>XTRIM</c>. Instances side by side share a subscription without an order between them.</remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="configuration">Where Redis is, as StackExchange.Redis writes it: <c>localhost:6379</c>. May hold a password, and is never logged.</param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder UseRedis(this EventBusBuilder bus, string configuration, Action<RedisOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(bus);
        ArgumentException.ThrowIfNullOrWhiteSpace(configuration);
        return bus.UseTransport("UseRedis(...)", services =>
        {
            var log = services.GetService<ILoggerFactory>()?.CreateLogger("EventBus.Redis") ?? NullLogger.Instance;
            return new RedisTransport(new RedisConnector(ConfigurationOptions.Parse(configuration)), Options(configure), log);
        });
    }

    private static RedisOptions Options(Action<RedisOptions>? configure)
    {
        var options = new RedisOptions();
        configure?.Invoke(options);
        if (options.KeyPrefix is not { Length: > 0 and <= 100 } prefix || !prefix.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or ':' or '.'))
        {
            throw new ArgumentException($"{nameof(RedisOptions)}.{nameof(options.KeyPrefix)} is '{options.KeyPrefix}'; 1 to 100 letters, digits, hyphens, underscores, colons and dots are allowed.");
        }

        if (options.ClaimAfter < TimeSpan.FromMilliseconds(100) || options.ClaimAfter > TimeSpan.FromDays(1))
        {
            throw new ArgumentException($"{nameof(RedisOptions)}.{nameof(options.ClaimAfter)} is {options.ClaimAfter}; 100 ms to 1 day are allowed.");
        }

        return options;
    }
}
