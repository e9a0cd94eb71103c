using EventBus;

namespace Checkout;

/// <summary>Adds the bus of the shop: its transport, its stores and its subscriptions.</summary>
public static class ShopBus
{
    /// <param name="services">The services of the application.</param>
    /// <param name="settings">The transport and the store.</param>
    /// <param name="file">The file for SQLite.</param>
    /// <param name="prefix">The prefix of keys in Redis.</param>
    public static void AddShopBus(this IServiceCollection services, Settings settings, string file, string prefix)
    {
        services.AddOrderHistory(settings, prefix);
        services.AddEventBus(bus =>
        {
            // The transport: one line, and no other code of the shop depends on it.
            _ = settings.Transport switch
            {
                "redis" => bus.UseRedis(settings.Redis, redis => redis.KeyPrefix = prefix),
                "redis-pubsub" => bus.UseRedisPubSub(settings.Redis, redis => redis.KeyPrefix = prefix),
                "rabbitmq" => bus.UseRabbitMq(settings.RabbitMq),
                "kafka" => bus.UseKafka(settings.Kafka),
                _ => bus.UseInMemory(),
            };

            // The stores of failed, waiting and handled events do not depend on the transport.
            _ = settings.Store switch
            {
                "sqlite" => bus.StoreInSqlite($"Data Source={file}"),
                "redis" => bus.StoreInRedis(settings.Redis, redis => redis.KeyPrefix = prefix),
                _ => bus.StoreInMemory(),
            };

            // The sample fails at once if a server is missing. A real shop would start and wait for it.
            bus.Configure(options => options.FailFast = true);
            bus.UseJson(AppJson.Default);

            #region subscriptions
            // Six subscriptions to one event: each has its own queue, its own failures and its own retries.
            // The first delay is short because this is a sample: 0.1 s, 0.5 s, 2.5 s. The default is 5 s, 25 s, 2 min.
            // Idempotent: their effect must not happen twice when an event arrives twice. A second refresh is harmless.
            bus.Subscribe<OrderPlaced, SendReceipt>("receipt", s => s.Idempotent().Retry(3, TimeSpan.FromMilliseconds(100)));
            bus.Subscribe<OrderPlaced, ReserveStock>("stock", s => s.Idempotent());
            bus.Subscribe<OrderPlaced, RecordSale>("analytics", s => s.Idempotent());
            bus.Subscribe<OrderPlaced, AddLoyaltyPoints>("loyalty", s => s.Idempotent());
            bus.Subscribe<OrderPlaced, CheckForFraud>("fraud-check", s => s.Idempotent());
            bus.Subscribe<OrderPlaced, RefreshRecommendations>("recommendations");

            // Every event of an order, also those that are added later.
            bus.SubscribePattern<FillWarehouse>("warehouse", "order.*");

            // Two events of one order, one after the other, even if the second arrives first.
            bus.Event<OrderPlaced>().KeyedBy(order => order.OrderId);
            bus.Event<OrderPaid>().KeyedBy(order => order.OrderId);
            bus.Event<OrderShipped>().KeyedBy(order => order.OrderId);
            bus.Subscribe("fulfilment", s =>
            {
                s.On<OrderPaid, Fulfil>().On<OrderShipped, Fulfil>().Guard<OrderShipped, ShippedAfterPaid>();
                if (settings.Transport != "redis-pubsub")
                {
                    // One event of an order at a time, in the order of publishing. Redis Pub/Sub cannot do this;
                    // there the guard is enough.
                    s.Ordered();
                }
            });

            bus.AddAlert<PageTheOpsTeam>();
            #endregion

            bus.AddOrderHistory(settings);
        });
    }
}
