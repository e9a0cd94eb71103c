using System.Text;
using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus.Kafka.Tests;

/// <summary>Transports on the broker of the tests, with topics of their own.</summary>
internal static class TestTransport
{
    /// <summary>Creates the options of a test.</summary>
    /// <param name="name">A name that no other test uses: the beginning of its topics.</param>
    /// <param name="address">The address of the broker; null for that of the tests.</param>
    public static KafkaOptions Options(string name, string? address = null) => new KafkaOptions
    {
        ConnectionString = address ?? TestBroker.Address,
        TopicFormat = $"{name}-{{word}}-events",
        CallTimeout = TimeSpan.FromSeconds(10),
    }.ConfigureClient(TestBroker.SignIn);

    /// <summary>Creates a transport that logs where passwords are searched for.</summary>
    public static KafkaTransport Create(KafkaOptions options, ILoggerProvider? log = null) =>
        new(new KafkaConnector(options, registered: null, new LoggerFactory([log ?? Canary.Log])));

    /// <summary>Creates the description of an application.</summary>
    public static TransportTopology Topology(string service, params Subscription[] subscriptions) =>
        new(service, subscriptions, ["order.placed"], TimeProvider.System);

    /// <summary>Creates and starts a transport.</summary>
    public static async Task<KafkaTransport> StartAsync(string name, KafkaOptions? options = null, ILoggerProvider? log = null)
    {
        var transport = Create(options ?? Options(name), log);
        await transport.StartAsync(Topology(name), TestContext.Current.CancellationToken);
        return transport;
    }

    /// <summary>Creates an event.</summary>
    public static Envelope Event(string id, string? key = null, string name = "order.placed", int size = 0) => new(
        new EnvelopeAttributes { Id = id, Name = name, Key = key },
        [.. "{\"x\":\""u8, .. Enumerable.Repeat((byte)'x', size), .. "\"}"u8]);

    /// <summary>Creates an event with a body.</summary>
    public static Envelope Json(string id, string json) =>
        new(new EnvelopeAttributes { Id = id, Name = "order.placed" }, Encoding.UTF8.GetBytes(json));

    /// <summary>Publishes events, and returns their outcomes.</summary>
    public static async Task<PublishOutcome[]> PublishAsync(this Transport transport, TimeSpan timeout, params Envelope[] events)
    {
        using var deadline = new CancellationTokenSource(timeout);
        var outcomes = new PublishOutcome[events.Length];
        await transport.PublishAsync(events, outcomes, deadline.Token);
        return outcomes;
    }
}
