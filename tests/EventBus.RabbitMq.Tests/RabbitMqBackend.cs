using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>
/// A real broker that may be restarted, behind a proxy that can close its connections. Retries and dead letters are
/// stored in memory.
/// </summary>
public abstract class RabbitMqBackend(string name, RabbitMqQueueType queueType, PrivateBroker broker) : Backend, IAsyncDisposable
{
    private readonly TcpProxy proxy = new(broker.Node.Port);

    public override string Name => name;

    public override bool CanPublishForeign => true;

    public override bool CanSeverConnections => true;

    public override bool CanRestartBroker => true;

    public override IReadOnlyList<string> Secrets => [Canary.Password];

    public override Transport CreateTransport(TransportSetup setup) => new RabbitMqTransport(RabbitMqBuilderExtensions.Connect(
        broker.Node.AddressAt(proxy.Port).AbsoluteUri,
        new RabbitMqOptions { Exchange = setup.Isolation, QueueType = queueType },
        setup.Services.GetRequiredService<ILoggerFactory>()));

    public override void AddStores(EventBusBuilder bus, string isolation) => bus.StoreInMemory();

    public override Task PublishForeignAsync(string isolation, ForeignMessage message, CancellationToken cancellationToken)
    {
        var headers = message.Headers.ToDictionary(header => header.Key, header => (object?)header.Value);
        foreach (var (name, value) in message.Attributes)
        {
            headers[$"cloudEvents_{name}"] = value;
        }

        return TestBroker.PublishForeignAsync(
            isolation,
            message.EventName,
            message.Body,
            new BasicProperties { Headers = headers },
            broker.Uri).WaitAsync(cancellationToken);
    }

    public override Task SeverConnectionsAsync(CancellationToken cancellationToken)
    {
        proxy.Sever();
        return Task.CompletedTask;
    }

    public override async Task RestartBrokerAsync(CancellationToken cancellationToken)
    {
        await broker.Node.StopAsync();
        await broker.Node.StartAsync();
    }

    public ValueTask DisposeAsync() => proxy.DisposeAsync();
}
