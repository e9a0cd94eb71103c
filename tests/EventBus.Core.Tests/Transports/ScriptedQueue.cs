using EventBus.Transports;

namespace EventBus;

/// <summary>
/// A queue like SQS: a delivery is invisible for a while, is renewed up to a maximum handling time, and is redelivered
/// if it was not settled by then. Receipts of an earlier delivery are stale.
/// </summary>
internal sealed class ScriptedQueue(TimeProvider time, TimeSpan visibility, TimeSpan maxHandling) : ScriptedTransport, IDeliverySettler
{
    private readonly Lock gate = new();
    private readonly Dictionary<long, Message> inFlight = [];
    private ScriptedReceiver? receiver;
    private long receipts;

    public Journal Events { get; } = new();

    /// <summary>The outcomes of the next publishes, by event id. Default: accepted.</summary>
    public Dictionary<string, PublishOutcome> Refusals { get; } = [];

    /// <summary>True to lose the renewals in transit, without an error.</summary>
    public bool RenewalsFail { get; set; }

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        var order = default(KeyOrder);
        for (var i = 0; i < batch.Length; i++)
        {
            var envelope = batch.Span[i];
            var outcome = order.IsHeldBack(envelope.Key)
                ? KeyOrder.NotSent
                : Refusals.GetValueOrDefault(((OrderPlaced)envelope.Payload!).OrderId, PublishOutcome.Accepted);
            outcomes.Span[i] = outcome;
            if (outcome.Status == PublishStatus.Accepted)
            {
                Deliver(new Message(envelope));
            }

            order.Record(envelope.Key, outcome);
        }

        return ValueTask.CompletedTask;
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        ValueTask.FromResult<Receiver>(receiver = new ScriptedReceiver(_ => { }));

    public ValueTask AckAsync(in Delivery delivery)
    {
        Settle(delivery, "acknowledged", out _);
        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        if (Settle(delivery, "released", out var message))
        {
            Deliver(message!);
        }

        return ValueTask.CompletedTask;
    }

    private bool Settle(in Delivery delivery, string how, out Message? message)
    {
        lock (gate)
        {
            var isCurrent = inFlight.Remove(delivery.Token, out message);
            message?.Timer?.Dispose();
            Events.Add($"{delivery.EarlierDeliveries} {(isCurrent ? how : $"{how} with a stale receipt")}");
            return isCurrent;
        }
    }

    private void Deliver(Message message)
    {
        Delivery delivery;
        lock (gate)
        {
            var receipt = ++receipts;
            message.Lost = new CancellationTokenSource();
            message.ReceivedAt = time.GetUtcNow();
            delivery = new Delivery(message.Envelope, this, receipt, message.Deliveries++, message.Lost.Token);
            inFlight.Add(receipt, message);
            message.Timer = time.CreateTimer(_ => EndVisibility(receipt), null, visibility, visibility);
        }

        receiver!.Deliver(delivery);
    }

    /// <summary>
    /// Renews the delivery, or makes the message visible again: with notice at the maximum handling time, without
    /// notice if the renewal was lost.
    /// </summary>
    private void EndVisibility(long receipt)
    {
        Message? message;
        lock (gate)
        {
            if (!inFlight.TryGetValue(receipt, out message))
            {
                return;
            }

            if (!RenewalsFail && time.GetUtcNow() - message.ReceivedAt + visibility <= maxHandling)
            {
                Events.Add("renewed");
                return;
            }

            inFlight.Remove(receipt);
            message.Timer!.Dispose();
        }

        if (!RenewalsFail)
        {
            message.Lost!.Cancel();
        }

        Deliver(message);
    }

    private sealed class Message(Envelope envelope)
    {
        public Envelope Envelope => envelope;

        public int Deliveries { get; set; }

        public DateTimeOffset ReceivedAt { get; set; }

        public ITimer? Timer { get; set; }

        public CancellationTokenSource? Lost { get; set; }
    }
}
