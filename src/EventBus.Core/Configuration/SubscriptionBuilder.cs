using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace EventBus;

/// <summary>Configures one subscription: its handlers and its settings.</summary>
public sealed partial class SubscriptionBuilder
{
    private readonly BusRegistration registration;
    private readonly SubscriptionRegistration subscription;

    internal SubscriptionBuilder(BusRegistration registration, SubscriptionRegistration subscription)
    {
        this.registration = registration;
        this.subscription = subscription;
    }

    /// <summary>
    /// Adds a handler for an event type. The handler is registered as scoped, unless the application has registered it
    /// already.
    /// </summary>
    /// <typeparam name="TEvent">
    /// The event type. An interface or an abstract class stands for every event type known to the bus (declared,
    /// published or subscribed to) that is assignable to it, except those that have their own handler in this
    /// subscription. A concrete class stands for itself only, not for the classes derived from it.
    /// </typeparam>
    /// <typeparam name="THandler">The handler type.</typeparam>
    public SubscriptionBuilder On<TEvent, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>()
        where TEvent : notnull
        where THandler : class, IEventHandler<TEvent>
    {
        registration.Services.TryAddScoped<THandler>();
        registration.Resolves(typeof(THandler), "handler", subscription.Name);
        return Bind(new HandlerRegistration(
            typeof(TEvent),
            typeof(THandler),
            static handler => new TypedHandler<TEvent>((IEventHandler<TEvent>)handler)));
    }

    /// <summary>Adds a delegate as the handler for an event type.</summary>
    /// <param name="handler">
    /// The handler. <see cref="EventContext.Services"/> is a separate scope for each delivery.
    /// </param>
    /// <typeparam name="TEvent">
    /// The event type. For an interface or an abstract class, see <see cref="On{TEvent, THandler}()"/>.
    /// </typeparam>
    public SubscriptionBuilder On<TEvent>(Func<TEvent, EventContext, CancellationToken, Task> handler)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Bind(new HandlerRegistration(typeof(TEvent), null, _ => new DelegateHandler<TEvent>(handler)));
    }

    /// <summary>
    /// Handles each event once, however often it is delivered. Copies are recognized by the event id, also when they
    /// arrive concurrently, and after a crash. Requires a store.
    /// </summary>
    /// <remarks>
    /// Events that the handler publishes through its context and effects in <see cref="EventContext.OnCommit"/> happen
    /// exactly once. All other effects happen at least once: pass <see cref="EventContext.IdempotencyKey"/> to them.
    /// </remarks>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public SubscriptionBuilder Idempotent(Action<IdempotencyOptions>? configure = null)
    {
        subscription.Idempotency ??= new IdempotencyOptions();
        configure?.Invoke(subscription.Idempotency);
        return this;
    }

    /// <summary>
    /// Sets the maximum number of events that are handled concurrently. For an ordered subscription, the number of
    /// partitions of keys.
    /// </summary>
    /// <param name="limit">1 to 1,000. Default: <see cref="EventBusOptions.Concurrency"/>.</param>
    public SubscriptionBuilder Concurrency(int limit)
    {
        subscription.Options.Concurrency = limit;
        return this;
    }

    /// <summary>Sets the time that one attempt may take before it counts as failed.</summary>
    /// <param name="timeout">10 ms to 1 day. Default: <see cref="EventBusOptions.HandlerTimeout"/>.</param>
    public SubscriptionBuilder HandlerTimeout(TimeSpan timeout)
    {
        subscription.Options.HandlerTimeout = timeout;
        return this;
    }

    internal void OnPattern(string pattern, Func<EventContext, CancellationToken, Task> handler)
    {
        subscription.Pattern = pattern;
        subscription.PatternHandler = handler;
    }

    internal void IsHandledBy(Type patternHandlerType) => subscription.PatternHandlerType = patternHandlerType;

    private SubscriptionBuilder Bind(HandlerRegistration handler)
    {
        if (!handler.IsForBaseType)
        {
            registration.Event(handler.EventType);
        }

        subscription.Handlers.Add(handler);
        return this;
    }
}
