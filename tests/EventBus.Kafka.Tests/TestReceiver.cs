using System.Globalization;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus.Kafka.Tests;

/// <summary>An instance of a service: a transport with one subscription to the events of a test.</summary>
internal sealed class TestReceiver : IAsyncDisposable
{
    private readonly Receiver receiver;

    private readonly LogList log;

    private TestReceiver(KafkaTransport transport, Receiver receiver, LogList log) =>
        (Transport, this.receiver, this.log) = (transport, receiver, log);

    public KafkaTransport Transport { get; }

    /// <summary>Creates options with one partition for each topic, and a session that ends soon.</summary>
    public static KafkaOptions Options(string name, KafkaGroupProtocol protocol = KafkaGroupProtocol.Classic)
    {
        var options = TestTransport.Options(name);
        (options.Partitions, options.GroupProtocol) = (1, protocol);
        (options.SessionTimeout, options.FromBeginning) = (TimeSpan.FromSeconds(6), true);
        return options;
    }

    public static async Task<TestReceiver> OpenAsync(
        string name, KafkaOptions options, ILoggerProvider? log = null, int concurrency = 4)
    {
        var subscription = new Subscription("mail", [EventPattern.Parse("order.placed")]) { Concurrency = concurrency };
        var texts = log as LogList ?? new LogList();
        var transport = TestTransport.Create(options, log ?? texts);
        await transport.StartAsync(TestTransport.Topology(name, subscription), TestContext.Current.CancellationToken);
        return new TestReceiver(transport, await transport.SubscribeAsync(subscription, TestContext.Current.CancellationToken), texts);
    }

    /// <summary>Publishes events with these ids, and expects that they are accepted.</summary>
    public async Task PublishAsync(params string[] ids)
    {
        var outcomes = await Transport.PublishAsync(TestBroker.Patience, [.. ids.Select(id => TestTransport.Event(id))]);
        Assert.All(outcomes, outcome => Assert.Equal(PublishOutcome.Accepted, outcome));
    }

    /// <summary>Publishes events with consecutive numbers as ids.</summary>
    public Task PublishAsync(int first, int count) =>
        PublishAsync([.. Enumerable.Range(first, count).Select(id => id.ToString(CultureInfo.InvariantCulture))]);

    /// <summary>Takes the next delivery, which comes within the patience of the tests.</summary>
    public async Task<Delivery> NextAsync()
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TestBroker.Patience);
        try
        {
            return await receiver.Deliveries.ReadAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"No event came. The log says:\n{string.Join('\n', log.Texts.TakeLast(40))}");
        }
    }

    /// <summary>Takes the next delivery, acknowledges it, and returns the id of its event.</summary>
    public async Task<string> HandleAsync()
    {
        var delivery = await NextAsync();
        await delivery.AckAsync();
        return delivery.Envelope.Id;
    }

    /// <summary>Acknowledges each delivery until the intake stops.</summary>
    /// <param name="handled">Called with the id of each event.</param>
    public async Task HandleAllAsync(Action<string> handled)
    {
        await foreach (var delivery in receiver.Deliveries.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            handled(delivery.Envelope.Id);
            await delivery.AckAsync();
        }
    }

    /// <summary>Stops the intake. What was taken before can still be settled.</summary>
    public ValueTask StopAsync() => receiver.StopIntakeAsync();

    /// <summary>Takes a delivery if there is one.</summary>
    public bool TryTake(out Delivery delivery) => receiver.Deliveries.TryRead(out delivery);

    public ValueTask DisposeAsync() => Transport.DisposeAsync();
}
