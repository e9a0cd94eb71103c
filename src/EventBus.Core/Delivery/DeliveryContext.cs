using EventBus.Transports;

namespace EventBus;

/// <summary>The context of each subscription after the first that handles the same envelope.</summary>
internal sealed class DeliveryContext : EventContext
{
    private readonly Envelope envelope;

    public DeliveryContext(Envelope envelope, SubscriptionRuntime subscription)
    {
        this.envelope = envelope;
        Claim(subscription);
    }

    private protected override Envelope Source => envelope;
}
