using EventBus;
using Microsoft.Extensions.DependencyInjection;

namespace TripBooking;

/// <summary>Adds the bus of the travel agency: its transport, its store, its saga and its subscriptions.</summary>
public static class AgencyBus
{
    /// <param name="services">The services of the application.</param>
    /// <param name="settings">The transport and the store.</param>
    /// <param name="folder">The folder of the files that must outlive the process.</param>
    public static void AddAgencyBus(this IServiceCollection services, Settings settings, string folder) =>
        services.AddEventBus(bus =>
        {
            var sqlite = $"Data Source={Path.Combine(folder, "trips.db")}";
            var prefix = Path.GetFileName(folder);

            // The transport and the store: one line each, and no other code depends on them.
            _ = settings.Transport switch
            {
                "redis" => bus.UseRedis(settings.Redis, redis => redis.KeyPrefix = prefix),
                "redis-pubsub" => bus.UseRedisPubSub(settings.Redis, redis => redis.KeyPrefix = prefix),
                "rabbitmq" => bus.UseRabbitMq(settings.RabbitMq),
                "kafka" => bus.UseKafka(settings.Kafka, kafka => kafka.SessionTimeout = TimeSpan.FromSeconds(6)),
                _ => bus.UseInMemory(),
            };
            _ = settings.Store switch
            {
                "sqlite" => bus.StoreInSqlite(sqlite),
                "redis" => bus.StoreInRedis(settings.Redis, redis => redis.KeyPrefix = prefix),
                _ => bus.StoreInMemory(),
            };

            // Times are short because this is a sample. By default a step is retried after 5 s, 25 s and about 2 min,
            // and the sagas of a killed process are resumed by another process after 30 s; with Kafka its events are
            // received by another one after 45 s.
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
            bus.Subscribe<SagaStepCompleted, TripProgress>("progress");
            bus.AddAlert<PageTheOpsTeam>();
            #endregion
        });
}
