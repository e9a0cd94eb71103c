using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Architecture.Tests.Readmes;

/// <summary>Contains the lines of the packages' README files that register a bus.</summary>
internal static class ReadmeBuses
{
    public static void Core(IServiceCollection services)
    {
        #region core
        services.AddEventBus(bus => bus.UseInMemory().Subscribe<OrderPlaced, SendReceipt>());
        #endregion
    }

    public static Task PublishAsync(IEventBus bus, CancellationToken cancellationToken)
    {
        #region publish
        return bus.PublishAsync(new OrderPlaced("4711", 59.90m), cancellationToken);
        #endregion
    }

    public static void InMemory(IServiceCollection services)
    {
        #region in-memory
        services.AddEventBus(bus =>
        {
            bus.UseInMemory();
            bus.Subscribe<OrderPlaced, SendReceipt>();
        });
        #endregion
    }

    public static void Redis(IServiceCollection services)
    {
        #region redis
        services.AddEventBus(bus =>
        {
            bus.UseRedis("localhost:6379");
            bus.Subscribe<OrderPlaced, SendReceipt>(s => s.Idempotent());
        });
        #endregion
    }

    public static void RabbitMq(IServiceCollection services)
    {
        #region rabbitmq
        services.AddEventBus(bus =>
        {
            bus.UseRabbitMq("amqp://user:password@localhost:5672");
            bus.Subscribe<OrderPlaced, SendReceipt>();
        });
        #endregion
    }

    public static void Kafka(IServiceCollection services)
    {
        #region kafka
        services.AddEventBus(bus =>
        {
            bus.UseKafka("localhost:9092").StoreInSqlite("Data Source=shop.db");
            bus.Subscribe<OrderPlaced, SendReceipt>();
        });
        #endregion
    }

    public static void Sqlite(IServiceCollection services)
    {
        #region sqlite
        services.AddEventBus(bus =>
        {
            bus.UseInMemory().StoreInSqlite("Data Source=shop.db");
            bus.Subscribe<OrderPlaced, SendReceipt>(s => s.Idempotent());
        });
        #endregion
    }
}
