using EventBus.Stores;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Creates the stores of one bus in Redis.</summary>
internal static class RedisStores
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    public static BusStores Create(RedisConnector connector, RedisOptions options, ILogger log)
    {
        var link = new RedisStoreLink(connector, options);
        var failures = new RedisFailureStore(link);
        return new BusStores
        {
            Name = "Redis",
            Failures = failures,
            Delays = new RedisDelayStore(link, log),
            Processed = new RedisProcessedEventStore(link),
            Sagas = new RedisSagaStore(link),
            Subscriptions = new RedisSubscriptionStore(link, options, log),
            PlanBy = link.PlanBy,
            OpenAsync = link.OpenAsync,
            CloseAsync = async () =>
            {
                // The stop may have cancelled the last claim before its reply.
                await failures.TakeBackAsync(CancellationToken.None).WaitAsync(CloseTimeout, TimeProvider.System).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                await link.CloseAsync();
            },
        };
    }
}
