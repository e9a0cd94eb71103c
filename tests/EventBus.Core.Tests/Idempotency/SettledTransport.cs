using EventBus.Transports;

namespace EventBus;

/// <summary>Delivers the events of a test to its only subscription, and records how they are settled.</summary>
internal sealed class SettledTransport : ScriptedTransport, IDeliverySettler
{
    private ScriptedReceiver? receiver;

    /// <summary>The ids of the acknowledged events.</summary>
    public Journal Acknowledged { get; } = new();

    /// <summary>The ids of the released events.</summary>
    public Journal Released { get; } = new();

    /// <summary>Delivers an event.</summary>
    /// <param name="job">Its id.</param>
    /// <param name="earlier">The number of earlier deliveries.</param>
    /// <param name="key">Its key; null for none.</param>
    public void Deliver(string job, int earlier, string? key = null) => receiver!.Deliver(new Delivery(
        new Envelope(
            new EnvelopeAttributes { Id = job, Name = "order.placed", Key = key },
            System.Text.Encoding.UTF8.GetBytes($"{{\"orderId\":\"{job}\"}}")),
        this,
        0,
        earlier,
        CancellationToken.None));

    public override ValueTask PublishAsync(
        ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline) => throw new NotSupportedException();

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        ValueTask.FromResult<Receiver>(receiver = new ScriptedReceiver(_ => { }));

    public ValueTask AckAsync(in Delivery delivery)
    {
        Acknowledged.Add(delivery.Envelope.Id);
        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        Released.Add(delivery.Envelope.Id);
        return ValueTask.CompletedTask;
    }
}
