using System.Data.Common;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>The part of a delivery's context that most deliveries never need: made on demand.</summary>
internal sealed class DeliveryState
{
    public const int MaxOutbox = 1_000;

    private AsyncServiceScope? scope;

    /// <summary>What stands in the context of a handler that has ended: nothing can be published through it any more.</summary>
    public static DeliveryState Ended { get; } = new();

    public int Attempt { get; set; } = 1;

    /// <summary>The event after upcasting, where that changed it.</summary>
    public object? Event { get; set; }

    public IServiceProvider? Services { get; set; }

    /// <summary>How often people had the event replayed.</summary>
    public int ManualRetries { get; set; }

    /// <summary>The number of the claim under which an idempotent subscription runs it; 0 without one.</summary>
    public long Fence { get; set; }

    /// <summary>What an idempotent subscription recognises it by; null without one.</summary>
    public string? Key { get; set; }

    /// <summary>It was kept while later events of its key went on: a number that has passed does not make it stale.</summary>
    public bool MayBePassed { get; set; }

    /// <summary>It is an entry of the store of failed events, and no delivery of the transport.</summary>
    public bool IsKept { get; set; }

    /// <summary>What the handler wants done in the commit that marks the event done.</summary>
    public List<Func<DbTransaction, CancellationToken, Task>>? Effects { get; set; }

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

    /// <summary>Closes the scope, if one was opened. Whoever asks later gets a new one.</summary>
    public ValueTask CloseScopeAsync()
    {
        lock (this)
        {
            var open = scope;
            (scope, Services) = (null, null);
            return open?.DisposeAsync() ?? ValueTask.CompletedTask;
        }
    }
}
