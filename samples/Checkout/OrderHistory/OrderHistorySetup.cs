using EventBus;
using StackExchange.Redis;

namespace Checkout;

/// <summary>Adds the read model of the orders and its subscriptions, and its cache if the shop uses Redis.</summary>
public static class OrderHistorySetup
{
    public static void AddOrderHistory(this IServiceCollection services, Settings settings, string prefix)
    {
        services.AddSingleton(
            provider => new OrderHistory(provider.GetRequiredService<ShopDatabase>(), hasMarks: settings.Store == "sqlite"));
        services.AddSingleton<OrderQueries>();
        services.AddSingleton<OrderReader>();
        if (settings.UsesRedis)
        {
            services.AddSingleton(_ => Connect(settings.Redis));
            services.AddSingleton(
                provider => new OrderCache(provider.GetRequiredService<ConnectionMultiplexer>(), settings.Serve ? "" : $"{prefix}:"));
        }
    }

    public static void AddOrderHistory(this EventBusBuilder bus, Settings settings)
    {
        #region subscriptions
        // The read model: the events of one order one after the other, and each of them once.
        bus.Event<OrderCancelled>().KeyedBy(order => order.OrderId);
        bus.Subscribe("order-history", s =>
        {
            s.On<OrderPlaced, KeepOrderHistory>().On<OrderCancelled, KeepOrderHistory>().Idempotent();
            if (settings.Transport != "redis-pubsub")
            {
                s.Ordered(); // Redis Pub/Sub cannot do this. There the version of the order is enough.
            }
        });

        // The cache: by an event that follows the commit of the read model. Here the version is all that is needed.
        bus.Event<OrderHistoryChanged>().KeyedBy(order => order.OrderId);
        if (settings.UsesRedis)
        {
            bus.Subscribe<OrderHistoryChanged, CacheOrder>("order-cache");
        }
        #endregion
    }

    /// <summary>Connects. If Redis is away, only the first use waits; later queries read SQLite at once.</summary>
    private static ConnectionMultiplexer Connect(string address)
    {
        var options = ConfigurationOptions.Parse(address);
        (options.AbortOnConnectFail, options.BacklogPolicy) = (false, BacklogPolicy.FailFast);
        return ConnectionMultiplexer.Connect(options);
    }
}
