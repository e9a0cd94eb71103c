using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus.RabbitMq.Tests;

/// <summary>Quorum queues, the default.</summary>
public sealed class QuorumBackend(PrivateBroker broker) : RabbitMqBackend("RabbitMQ quorum", RabbitMqQueueType.Quorum, broker);

/// <summary>Classic queues.</summary>
public sealed class ClassicBackend(PrivateBroker broker) : RabbitMqBackend("RabbitMQ classic", RabbitMqQueueType.Classic, broker);

/// <summary>A real broker that may be restarted, behind a wire that can be cut; retries and dead letters are kept in memory.</summary>
public abstract class RabbitMqBackend(string name, RabbitMqQueueType queueType, PrivateBroker broker) : Backend, IAsyncDisposable
{
    private readonly TcpProxy proxy = new(broker.Node.Port);

    public override string Name => name;

    public override bool CanPublishForeign => true;

    public override bool CanSeverConnections => true;

    public override bool CanRestartBroker => true;

    public override IReadOnlyList<string> Secrets => [Canary.Password];

    public override Transport CreateTransport(TransportSetup setup) => new RabbitMqTransport(RabbitMqBuilderExtensions.Connect(
        broker.Node.AddressAt(proxy.Port).AbsoluteUri, new RabbitMqOptions { Exchange = setup.Isolation, QueueType = queueType }, setup.Services.GetRequiredService<ILoggerFactory>()));

    public override void AddStores(EventBusBuilder bus, string isolation) => bus.StoreInMemory();

    public override Task PublishForeignAsync(string isolation, string eventName, ReadOnlyMemory<byte> body, CancellationToken cancellationToken) =>
        TestBroker.PublishForeignAsync(isolation, eventName, body, null, broker.Uri).WaitAsync(cancellationToken);

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
