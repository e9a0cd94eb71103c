using System.Collections.Concurrent;
using EventBus.Transports;

namespace EventBus;

/// <summary>A transport that delivers any message of a test, valid or not, and counts how each was settled.</summary>
internal sealed class InjectingTransport : ScriptedTransport, IDeliverySettler
{
    private readonly ConcurrentQueue<BrokerDeadLetter> brokerDeadLetters = new();
    private readonly ConcurrentDictionary<string, int> acknowledged = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> sentIds = new();
    private TaskCompletionSource all = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ScriptedReceiver? receiver;
    private int open;
    private int released;
    private int sent;

    public override TransportFeatures Features { get; } = new()
    {
        System = "scripted",
        Durable = true,
        Ordered = true,
        Redelivers = true,
        SharesSubscriptions = true,
        DropsEvents = true,
    };

    /// <summary>The number of earlier deliveries, as the backend counts them.</summary>
    public int EarlierDeliveries { get; set; }

    /// <summary>The number of acknowledgements of each event, by its id.</summary>
    public IReadOnlyDictionary<string, int> Acknowledged => acknowledged;

    public int Released => Volatile.Read(ref released);

    /// <summary>The number of published events.</summary>
    public int Sent => Volatile.Read(ref sent);

    /// <summary>The ids of the published events.</summary>
    public IReadOnlyCollection<string> SentIds => sentIds;

    /// <summary>Delivers serialized events at once, and waits until each is acknowledged.</summary>
    public Task DeliverAsync(params IReadOnlyList<(EnvelopeAttributes Attributes, byte[] Body)> messages) =>
        DeliverAsync([.. messages.Select(message => new Envelope(message.Attributes, message.Body))]);

    /// <summary>Delivers events at once, and waits until each is acknowledged.</summary>
    public async Task DeliverAsync(params Envelope[] events)
    {
        all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        open = events.Length;
        foreach (var envelope in events)
        {
            receiver!.Deliver(new Delivery(envelope, this, earlierDeliveries: EarlierDeliveries));
        }

        await all.Task.WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken);
    }

    /// <summary>Delivers an event that the broker dead-lettered.</summary>
    public void AddBrokerDeadLetter(
        string subscription,
        DeadLetterReason reason,
        string error,
        EnvelopeAttributes attributes,
        byte[] body) =>
        brokerDeadLetters.Enqueue(new BrokerDeadLetter(subscription, reason, error, new Delivery(new Envelope(attributes, body), this)));

    /// <summary>Delivers an event that the broker dead-lettered, and waits until it is acknowledged.</summary>
    public Task DropAsync(string subscription, DeadLetterReason reason, string error, EnvelopeAttributes attributes, byte[] body)
    {
        var acknowledged = WhenAcknowledgedAsync(1);
        AddBrokerDeadLetter(subscription, reason, error, attributes, body);
        return acknowledged;
    }

    /// <summary>Completes when <paramref name="count"/> more events are acknowledged.</summary>
    public Task WhenAcknowledgedAsync(int count)
    {
        all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        open = count;
        return all.Task.WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken);
    }

    public override ValueTask<BrokerDeadLetter?> TakeBrokerDeadLetterAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult(brokerDeadLetters.TryDequeue(out var next) ? next : null);

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        Interlocked.Add(ref sent, batch.Length);
        foreach (var envelope in batch.Span)
        {
            sentIds.Enqueue(envelope.Id);
        }

        outcomes.Span.Fill(PublishOutcome.Accepted);
        return ValueTask.CompletedTask;
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        ValueTask.FromResult<Receiver>(receiver = new ScriptedReceiver(_ => { }));

    public ValueTask AckAsync(in Delivery delivery)
    {
        acknowledged.AddOrUpdate(delivery.Envelope.Id, 1, (_, count) => count + 1);
        if (Interlocked.Decrement(ref open) == 0)
        {
            all.TrySetResult();
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        Interlocked.Increment(ref released);
        return ValueTask.CompletedTask;
    }
}
