using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus.Kafka.Tests;

/// <summary>
/// A real broker that may be restarted, behind a proxy that can close its connections. Retries and dead letters are
/// stored in memory.
/// </summary>
public abstract class KafkaBackend(string name, KafkaGroupProtocol protocol, KafkaAssignor assignor, PrivateBroker broker) : Backend
{
    public override string Name => name;

    public override bool CanPublishForeign => true;

    public override bool CanSeverConnections => true;

    public override bool CanRestartBroker => true;

    public override IReadOnlyList<string> Secrets => [Canary.Password];

    public override Transport CreateTransport(TransportSetup setup) => new KafkaTransport(new KafkaConnector(
        new KafkaOptions
        {
            ConnectionString = broker.Node.ProxiedAddress,
            TopicFormat = FormatOf(setup.Isolation),
            Partitions = 4,
            GroupProtocol = protocol,
            Assignor = assignor,
            SessionTimeout = TimeSpan.FromSeconds(6),

            // A scenario keeps a handler running while another instance joins, and expects that the key does not move.
            RevocationTimeout = TimeSpan.FromSeconds(60),
            DiscoveryPeriod = TimeSpan.FromMilliseconds(500),
        }.ConfigureClient(TestBroker.SignIn),
        registered: null,
        setup.Services.GetRequiredService<ILoggerFactory>(),
        setup.Services.GetService<TimeProvider>()));

    public override void AddStores(EventBusBuilder bus, string isolation) => bus.StoreInMemory();

    public override async Task PublishForeignAsync(string isolation, ForeignMessage message, CancellationToken cancellationToken)
    {
        // A program that writes no CloudEvents names the event in a plain header.
        var attributes = message.Attributes.Count == 0
            ? [new("type", message.EventName)]
            : message.Attributes.Select(attribute => KeyValuePair.Create($"ce_{attribute.Key}", attribute.Value));
        await RawClient.PublishAsync(
            FormatOf(isolation).Replace("{word}", message.EventName.Split('.')[0], StringComparison.Ordinal),
            key: null,
            message.Body,
            [.. attributes, .. message.Headers],
            broker.Node.Address).WaitAsync(cancellationToken);
    }

    public override Task SeverConnectionsAsync(CancellationToken cancellationToken)
    {
        broker.Proxy.Sever();
        return Task.CompletedTask;
    }

    public override async Task RestartBrokerAsync(CancellationToken cancellationToken)
    {
        await broker.Node.StopAsync();
        await broker.Node.StartAsync();
    }

    private static string FormatOf(string isolation) => $"{isolation}-{{word}}-events";
}
