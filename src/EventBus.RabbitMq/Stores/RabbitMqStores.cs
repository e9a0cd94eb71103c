using EventBus.Stores;

namespace EventBus;

/// <summary>Creates the stores that RabbitMQ itself provides: retries and dead letters in queues.</summary>
internal static class RabbitMqStores
{
    public static BusStores Create(RabbitMqConnector connector)
    {
        var failures = new RabbitMqFailureStore(connector);
        return new BusStores
        {
            Name = "RabbitMQ",
            Failures = failures,
            OpenAsync = failures.OpenAsync,
            CloseAsync = failures.DisposeAsync,
        };
    }
}
