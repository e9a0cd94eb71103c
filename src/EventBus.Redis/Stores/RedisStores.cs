using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>The stores of one bus in Redis.</summary>
internal sealed class RedisStores : BusStores
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    private readonly RedisStoreLink link;
    private readonly RedisFailureStore failures;

    public RedisStores(RedisConnector connector, string keyPrefix, ILogger log)
    {
        link = new RedisStoreLink(connector, keyPrefix);
        failures = new RedisFailureStore(link);
        Delays = new RedisDelayStore(link, log);
        Processed = new RedisProcessedEventStore(link);
        Sagas = new RedisSagaStore(link);
        Subscriptions = new RedisSubscriptionStore(link, keyPrefix, log);
    }

    public override string Name => "Redis";

    public override KeyedFailureStore Failures => failures;

    public override DelayStore Delays { get; }

    public override ProcessedEventStore Processed { get; }

    public override SagaStore Sagas { get; }

    public override SubscriptionStore Subscriptions { get; }

    public override TimeProvider CreateClock(TimeProvider time) => link.CreateClock(time);

    public override ValueTask OpenAsync(StoreSetup setup, CancellationToken cancellationToken) => link.OpenAsync(setup, cancellationToken);

    public override async ValueTask CloseAsync()
    {
        // The stop may have cancelled the last claim before its reply. Without this, the claimed entries would wait
        // until their leases end.
        await failures.UndoUnansweredClaimAsync(CancellationToken.None).WaitAsync(CloseTimeout, TimeProvider.System).Quietly();
        await link.CloseAsync();
    }
}
