using Checkout;
using Checkout.Demo;
using EventBus;

Settings settings;
try
{
    settings = Settings.Parse(args);
}
catch (ArgumentException exception)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return 2;
}

if (!settings.Serve)
{
    return await DemoSetup.RunAsync(settings, Build);
}

try
{
    await using var app = Build("checkout.db", "checkout");
    await app.RunAsync();
    return 0;
}
catch (EventBusException exception)
{
    // The log has it in full.
    await Console.Error.WriteLineAsync(settings.Explain(exception));
    return 1;
}

// Builds the shop. The file is for SQLite, the prefix for keys in Redis.
WebApplication Build(string file, string prefix, Action<WebApplicationBuilder>? also = null)
{
    var builder = WebApplication.CreateBuilder(settings.Urls is { } urls ? ["--urls", urls] : []);
    IPointsLedger ledger = settings.Store == "sqlite" ? new PointsInSqlite($"Data Source={file}") : new PointsInMemory();
    builder.Services.AddSingleton(ledger);

    builder.Services.AddEventBus(bus =>
    {
        // The transport: one line, and no other code of the shop depends on it.
        _ = settings.Transport switch
        {
            "redis" => bus.UseRedis(settings.Redis, redis => redis.KeyPrefix = prefix),
            "redis-pubsub" => bus.UseRedisPubSub(settings.Redis, redis => redis.KeyPrefix = prefix),
            "rabbitmq" => bus.UseRabbitMq(settings.RabbitMq),
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
        // Five subscriptions to one event: each has its own queue, its own failures and its own retries.
        // The first delay is short because this is a sample: 0.1 s, 0.5 s, 2.5 s. The default is 5 s, 25 s, 2 min.
        // Idempotent: their effect must not happen twice when an event arrives twice. A second refresh does no harm.
        bus.Subscribe<OrderPlaced, SendReceipt>("receipt", s => s.Idempotent().Retry(3, TimeSpan.FromMilliseconds(100)));
        bus.Subscribe<OrderPlaced, ReserveStock>("stock", s => s.Idempotent());
        bus.Subscribe<OrderPlaced, RecordSale>("analytics", s => s.Idempotent());
        bus.Subscribe<OrderPlaced, AddLoyaltyPoints>("loyalty", s => s.Idempotent());
        bus.Subscribe<OrderPlaced, RefreshRecommendations>("recommendations");

        // Two events of one order, one after the other, even if the second arrives first.
        bus.Event<OrderPlaced>().KeyedBy(order => order.OrderId);
        bus.Event<OrderPaid>().KeyedBy(order => order.OrderId);
        bus.Event<OrderShipped>().KeyedBy(order => order.OrderId);
        bus.Subscribe("fulfilment", s =>
        {
            s.On<OrderPaid, Fulfil>().On<OrderShipped, Fulfil>().Guard<OrderShipped, ShippedAfterPaid>();
            if (settings.Transport != "redis-pubsub")
            {
                // One event of an order at a time, in the order of publishing. Redis Pub/Sub cannot do this; there the
                // guard is enough.
                s.Ordered();
            }
        });

        bus.AddAlert<PageTheOpsTeam>();
        #endregion
    });

    builder.Services.AddShopServices();
    builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
    builder.Services.AddProblemDetails();
    builder.Services.AddHealthChecks();
    builder.Services.ConfigureHttpJsonOptions(http => http.SerializerOptions.TypeInfoResolverChain.Insert(0, AppJson.Default));

    // A free port, unless --urls names one.
    if (builder.Configuration["urls"] is null)
    {
        builder.WebHost.UseUrls("http://127.0.0.1:0");
    }

    also?.Invoke(builder);
    var app = builder.Build();
    app.UseExceptionHandler();
    app.MapCheckout();
    app.MapDeadLetters();
    app.MapHealthChecks("/health");
    return app;
}
