using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>The part of a delivery's context that most deliveries never need: made on demand.</summary>
internal sealed class Handling
{
    public const int MaxOutbox = 1_000;

    private AsyncServiceScope? scope;

    /// <summary>What stands in the context of a handler that has ended: nothing can be published through it any more.</summary>
    public static Handling Ended { get; } = new();

    public int Attempt { get; set; } = 1;

    /// <summary>The event after upcasting, where that changed it.</summary>
    public object? Event { get; set; }

    public IServiceProvider? Services { get; set; }

    /// <summary>What the handler published through its context.</summary>
    public List<Envelope>? Outbox { get; set; }

    public string? TestSubscription { get; init; }

    /// <summary>Opens the scope of this delivery, once, however many threads ask.</summary>
    public IServiceProvider OpenScope(IServiceScopeFactory scopes)
    {
        lock (this)
        {
            scope ??= scopes.CreateAsyncScope();
            return Services = scope.Value.ServiceProvider;
        }
    }

    public ValueTask CloseScopeAsync() => scope?.DisposeAsync() ?? ValueTask.CompletedTask;
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
