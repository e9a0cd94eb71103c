using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace EventBus;

/// <summary>What one subscription handles, and how.</summary>
public sealed class SubscriptionBuilder
{
    private readonly BusModel model;
    private readonly SubscriptionModel subscription;

    internal SubscriptionBuilder(BusModel model, SubscriptionModel subscription)
    {
        this.model = model;
        this.subscription = subscription;
    }

    /// <summary>Handles one more event type. The handler is registered as scoped, unless the application registered it already.</summary>
    /// <typeparam name="TEvent">The event type.</typeparam>
    /// <typeparam name="THandler">The handler type.</typeparam>
    public SubscriptionBuilder On<TEvent, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>()
        where TEvent : notnull
        where THandler : class, IEventHandler<TEvent>
    {
        model.Services.TryAddScoped<THandler>();
        return Bind(new HandlerModel(typeof(TEvent), typeof(THandler), static handler => new TypedHandler<TEvent>((IEventHandler<TEvent>)handler)));
    }

    /// <summary>Handles one more event type with a delegate.</summary>
    /// <param name="handler">The handler. <see cref="EventContext.Services"/> is a scope of each delivery's own.</param>
    /// <typeparam name="TEvent">The event type.</typeparam>
    public SubscriptionBuilder On<TEvent>(Func<TEvent, EventContext, CancellationToken, Task> handler)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Bind(new HandlerModel(typeof(TEvent), null, _ => new DelegateHandler<TEvent>(handler)));
    }

    /// <summary>Handles the events of one key one at a time, in the order in which they were published, in parallel across keys. Events without a key are in order among themselves.</summary>
    /// <remarks>A failed event holds back the later events of its own key until it succeeds or people retry or discard it.</remarks>
    public SubscriptionBuilder Ordered()
    {
        subscription.Ordered = true;
        return this;
    }

    /// <summary>Handles at most this many events at once. For an ordered subscription the number of lanes.</summary>
    /// <param name="limit">1 to 1,000. Default <see cref="EventBusOptions.Concurrency"/>.</param>
    public SubscriptionBuilder Concurrency(int limit)
    {
        subscription.Options.Concurrency = limit;
        return this;
    }

    /// <summary>Lets one start of a handler take this long before it counts as failed.</summary>
    /// <param name="timeout">10 ms to 1 day. Default <see cref="EventBusOptions.HandlerTimeout"/>.</param>
    public SubscriptionBuilder HandlerTimeout(TimeSpan timeout)
    {
        subscription.Options.HandlerTimeout = timeout;
        return this;
    }

    /// <summary>Sets how often and when a failed event is started again. What is not mentioned is as for the whole bus.</summary>
    /// <param name="count">Retries after the first start, 0 to 100.</param>
    /// <param name="firstDelay">The wait before the first retry, then 6 and 24 times as long. Default: that of the bus.</param>
    public SubscriptionBuilder Retry(int count, TimeSpan? firstDelay = null)
    {
        subscription.Options.RetryCount = count;
        subscription.Options.RetryFirstDelay = firstDelay ?? subscription.Options.RetryFirstDelay;
        return this;
    }

    internal void Any(string pattern, Func<EventContext, CancellationToken, Task> handler)
    {
        subscription.AnyPattern = pattern;
        subscription.AnyHandler = handler;
    }

    private SubscriptionBuilder Bind(HandlerModel handler)
    {
        model.Event(handler.EventType);
        subscription.Handlers.Add(handler);
        return this;
    }
}
