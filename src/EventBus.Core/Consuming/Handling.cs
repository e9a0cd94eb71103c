using EventBus.Transports;

namespace EventBus;

/// <summary>The part of a delivery's context that most deliveries never need: made on demand.</summary>
internal sealed class Handling
{
    public const int MaxOutbox = 1_000;

    public int Attempt { get; set; } = 1;

    /// <summary>The event after upcasting, where that changed it.</summary>
    public object? Event { get; set; }

    public IServiceProvider? Services { get; set; }

    /// <summary>What the handler published through its context.</summary>
    public List<Envelope>? Outbox { get; set; }

    public string? TestSubscription { get; init; }
}

/// <summary>The context of every subscription after the first that handles the same envelope.</summary>
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
