using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>The real broker of the tests, and unique names on it.</summary>
internal static class TestBroker
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static Uri Uri { get; } = new(Environment.GetEnvironmentVariable("EVENTBUS_TEST_RABBITMQ")
        ?? throw new InvalidOperationException(
            "The environment variable EVENTBUS_TEST_RABBITMQ names no broker. Run ./test RabbitMq, which starts one."));

    public static string NewName() => $"t{Guid.NewGuid():N}"[..16];

    public static Transport CreateTransport(string exchange, Uri? uri = null) =>
        new RabbitMqTransport(RabbitMqBuilderExtensions.Connect(
            (uri ?? Uri).AbsoluteUri,
            new RabbitMqOptions { Exchange = exchange },
            new LoggerFactory([Canary.Log])));

    public static async Task<Transport> StartTransportAsync(string name, Uri? uri, params Subscription[] subscriptions)
    {
        var transport = CreateTransport(name, uri);
        await transport.StartAsync(
            new TransportTopology(name, subscriptions, [], TimeProvider.System),
            TestContext.Current.CancellationToken);
        return transport;
    }

    /// <summary>Publishes a message like a program in another language.</summary>
    public static async Task PublishForeignAsync(
        string exchange,
        string routingKey,
        ReadOnlyMemory<byte> body,
        BasicProperties? properties = null,
        Uri? uri = null)
    {
        await using var connection = await new ConnectionFactory { Uri = uri ?? Uri }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true));
        await channel.ExchangeDeclareAsync(exchange, "topic", durable: true);
        await channel.BasicPublishAsync(exchange, routingKey, mandatory: true, properties ?? new BasicProperties(), body);
    }
}
