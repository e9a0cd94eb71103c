using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Proof;

/// <summary>Configures the buses of victims and of the harness from the same parts.</summary>
internal static class Buses
{
    private const string KeyPrefix = "proof";

    private static readonly TimeSpan AlertInterval = TimeSpan.FromMilliseconds(200);

    public static string StreamOf(string word) => $"{{{KeyPrefix}}}:{word}";

    public static string ChannelOf(string eventName) => $"{KeyPrefix}:{eventName}";

    /// <summary>Adds the transport and the store, with times so short that a kill costs seconds.</summary>
    public static void AddBackend(EventBusBuilder bus, VictimSettings settings)
    {
        if (settings.RabbitMq is { } address)
        {
            bus.UseRabbitMq(address, options =>
            {
                (
                    options.Exchange,
                    options.QueueType) = (settings.Service, settings.ClassicQueues ? RabbitMqQueueType.Classic : RabbitMqQueueType.Quorum);
                options.RetrySteps = settings.RetryMilliseconds == 0
                    ? options.RetrySteps
                    : [TimeSpan.FromMilliseconds(settings.RetryMilliseconds)];
            });
        }
        else if (settings.Kafka is { } brokers)
        {
            bus.UseKafka(brokers, options => KafkaGroups.Configure(options, settings));
        }
        else if (settings.Channels)
        {
            bus.UseRedisPubSub(settings.Redis, options => options.KeyPrefix = KeyPrefix);
        }
        else
        {
            bus.UseRedis(settings.Redis, options => (options.KeyPrefix, options.ClaimAfter) = (KeyPrefix, Lease(settings)));
        }

        switch (settings.Store)
        {
            case "sqlite":
                bus.StoreInSqlite(settings.DatabaseConnection);
                break;
            case "redis":
                bus.StoreInRedis(settings.Redis, options => options.KeyPrefix = KeyPrefix);
                break;
            case "native":
                break;
            default:
                bus.StoreInMemory(options => options.StoreCapacity = 2_000_000);
                break;
        }

        bus.Configure(options => (
            options.ServiceName,
            options.Lease,
            options.AlertInterval,
            options.Concurrency) = (settings.Service, Lease(settings), AlertInterval, settings.Concurrency));
        bus.Configure(options => options.PublishTimeout = TimeSpan.FromMilliseconds(settings.PublishMilliseconds));
    }

    /// <summary>Wraps the stores of a bus.</summary>
    public static void WrapStores(EventBusBuilder bus, Func<BusStores, BusStores> wrap)
    {
        var inner = StoresOf(bus.Services);
        bus.UseStores(services => wrap(inner(services)));
    }

    /// <summary>Wraps the transport of a bus.</summary>
    public static void WrapTransport(EventBusBuilder bus, Func<Transport, Transport> wrap)
    {
        var transports = ModelOf(bus.Services).Transports;
        var (call, create) = transports.Single();
        transports[0] = (call, services => wrap(create(services)));
    }

    public static Func<IServiceProvider, BusStores> StoresOf(IServiceCollection services) =>
        ModelOf(services) is var model && (model.Stores ?? model.DefaultStores) is { } stores
            ? stores
            : throw new ProofException("The bus has no stores.");

    private static TimeSpan Lease(VictimSettings settings) => TimeSpan.FromMilliseconds(settings.LeaseMilliseconds);

    private static BusRegistration ModelOf(IServiceCollection services) =>
        (BusRegistration)services.Single(service => service.ServiceType == typeof(BusRegistration)).ImplementationInstance!;
}
