using System.Data.Common;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Holds the values of a delivery that most deliveries do not need. Created on demand.</summary>
internal sealed class DeliveryState(SubscriptionRuntime owner)
{
    private readonly Lock scopeLock = new();
    private AsyncServiceScope? scope;
    private bool isAbandoned;

    public SubscriptionRuntime Owner => owner;

    public int Attempt { get; set; } = 1;

    /// <summary>The upcast event; null when upcasting did not change it.</summary>
    public object? Event { get; set; }

    public IServiceProvider? Services { get; private set; }

    /// <summary>The number of times an operator retried the event.</summary>
    public int ManualRetries { get; set; }

    /// <summary>The fencing token under which an idempotent subscription handles the event; 0 for none.</summary>
    public long FencingToken { get; set; }

    /// <summary>
    /// The claim of an idempotent subscription; null for none. Other attempts of this process wait until it is
    /// disposed.
    /// </summary>
    public EventClaim? Claim { get; set; }

    /// <summary>The key by which an idempotent subscription recognizes copies of the event; null for none.</summary>
    public string? DeduplicationKey { get; set; }

    /// <summary>
    /// True if later events of the key do not wait for this event while it is in the store. The event is then handled
    /// even if a higher sequence number was handled before it.
    /// </summary>
    public bool MayBePassed { get; set; }

    /// <summary>True for an entry of the failure store; false for a delivery of the transport.</summary>
    public bool IsStoredEntry { get; set; }

    /// <summary>
    /// True if the event is stored to wait while another attempt holds its claim, because an earlier attempt may have
    /// ended with its process. False if it waits in memory for that attempt.
    /// </summary>
    public bool YieldsToClaims { get; set; }

    /// <summary>The effects that the handler adds to the transaction that marks the event as handled.</summary>
    public List<Func<DbTransaction, CancellationToken, Task>>? Effects { get; set; }

    /// <summary>The deadline of the handler.</summary>
    public CancellationToken Deadline { get; set; }

    /// <summary>True after the handler has ended.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>The events that the handler published through its context.</summary>
    public List<Envelope>? Outbox { get; set; }

    public void End() => HasEnded = true;

    /// <summary>Leaves the scope open for a handler that did not end in time and may still use it.</summary>
    public void Abandon()
    {
        lock (scopeLock)
        {
            isAbandoned = true;
        }
    }

    /// <summary>Opens the scope of this delivery once, also when several threads call it.</summary>
    public IServiceProvider OpenScope(IServiceScopeFactory scopes)
    {
        lock (scopeLock)
        {
            scope ??= scopes.CreateAsyncScope();
            Services = scope.Value.ServiceProvider;
            return Services;
        }
    }

    /// <summary>
    /// Closes the scope, unless it is abandoned. A later call of <see cref="OpenScope"/> creates a new one.
    /// </summary>
    public ValueTask CloseScopeAsync()
    {
        lock (scopeLock)
        {
            if (isAbandoned || scope is not { } open)
            {
                return ValueTask.CompletedTask;
            }

            scope = null;
            Services = null;
            return open.DisposeAsync();
        }
    }
}
