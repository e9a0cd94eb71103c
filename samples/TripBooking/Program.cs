using EventBus;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TripBooking;
using TripBooking.Demo;

try
{
    return await DemoSetup.RunAsync(Settings.Parse(args), Build);
}
catch (ArgumentException exception)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return 2;
}

// Builds the travel agency. The folder holds the files that must outlive the process.
static IHost Build(Settings settings, string folder, Action<Moment> show)
{
    var builder = Host.CreateApplicationBuilder();
    builder.Logging.ClearProviders();
    builder.Services.AddEventBus(bus =>
    {
        var sqlite = $"Data Source={Path.Combine(folder, "trips.db")}";
        var prefix = Path.GetFileName(folder);

        // The transport and the store: one line each, and no other code depends on them.
        _ = settings.Transport switch
        {
            "redis" => bus.UseRedis(settings.Redis, redis => redis.KeyPrefix = prefix),
            "redis-pubsub" => bus.UseRedisPubSub(settings.Redis, redis => redis.KeyPrefix = prefix),
            "rabbitmq" => bus.UseRabbitMq(settings.RabbitMq),
            _ => bus.UseInMemory(),
        };
        _ = settings.Store switch
        {
            "sqlite" => bus.StoreInSqlite(sqlite),
            "redis" => bus.StoreInRedis(settings.Redis, redis => redis.KeyPrefix = prefix),
            _ => bus.StoreInMemory(),
        };

        // Times are short because this is a sample. By default a step is retried after 5 s, 25 s and about 2 min, and
        // the sagas of a killed process are resumed by another process after 30 s.
        bus.Retry(2, TimeSpan.FromMilliseconds(100));
        bus.Configure(options =>
        {
            options.Lease = TimeSpan.FromSeconds(2);
            options.FailFast = true;
            options.ServiceName = "trip-booking";
        });
        bus.UseJson(AppJson.Default);

        #region bus
        bus.AddSaga<BookTrip, Trip>();
        bus.Subscribe<ConfirmationRequested, SendConfirmation>("confirmation");
        bus.Subscribe("trips", s => s.On<SagaCompleted, TripNews>().On<SagaFailed, TripNews>());
        bus.AddAlert<PageTheOpsTeam>();
        #endregion
    });

    builder.Services.AddSingleton(TimeProvider.System);
    builder.Services.AddSingleton(new Timeline(TimeProvider.System, show));
    builder.Services.AddSingleton(new OutsideWorld(folder));
    builder.Services.AddSingleton<FlightService>().AddSingleton<HotelService>().AddSingleton<PaymentService>().AddSingleton<MailService>();
    return builder.Build();
}
