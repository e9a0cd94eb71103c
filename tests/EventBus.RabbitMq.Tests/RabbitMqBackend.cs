using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus.RabbitMq.Tests;

/// <summary>Quorum queues, the default.</summary>
public sealed class QuorumBackend() : RabbitMqBackend("RabbitMQ quorum", RabbitMqQueueType.Quorum);

/// <summary>Classic queues.</summary>
public sealed class ClassicBackend() : RabbitMqBackend("RabbitMQ classic", RabbitMqQueueType.Classic);

/// <summary>A real broker behind a wire that can be cut; retries and dead letters are kept in memory.</summary>
public abstract class RabbitMqBackend(string name, RabbitMqQueueType queueType) : Backend, IAsyncDisposable
{
    private readonly TcpProxy proxy = new();

    public override string Name => name;

    public override bool CanPublishForeign => true;

    public override bool CanSeverConnections => true;

    public override IReadOnlyList<string> Secrets => [Canary.Password];

    public override Transport CreateTransport(TransportSetup setup) =>
        new RabbitMqTransport(RabbitMqBuilderExtensions.Connect(proxy.Uri.AbsoluteUri, new RabbitMqOptions { Exchange = setup.Isolation, QueueType = queueType }, setup.Services.GetRequiredService<ILoggerFactory>()));

    public override void AddStores(EventBusBuilder bus, string isolation) => bus.StoreInMemory();

    public override Task PublishForeignAsync(string isolation, string eventName, ReadOnlyMemory<byte> body, CancellationToken cancellationToken) =>
        TestBroker.PublishForeignAsync(isolation, eventName, body).WaitAsync(cancellationToken);

    public override Task SeverConnectionsAsync(CancellationToken cancellationToken)
    {
        proxy.Sever();
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync() => proxy.DisposeAsync();
}
