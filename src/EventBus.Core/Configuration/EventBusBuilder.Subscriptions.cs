using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace EventBus;

// The subscriptions of the bus: handlers, delegates and patterns, and idempotency as their default.
public sealed partial class EventBusBuilder
{
    /// <summary>
    /// Subscribes a handler to one event type. The handler is registered as scoped, unless the application has
    /// registered it already.
    /// </summary>
    /// <param name="name">
    /// The name of the subscription: unique on this bus, and the same in all versions of the application. Default:
    /// <c>handler.event</c> in kebab case, without a trailing <c>Handler</c>, <c>Consumer</c> or <c>Event</c>:
    /// <c>send-receipt.order-placed</c>.
    /// </param>
    /// <param name="configure">Changes the settings of the subscription; null for the defaults.</param>
    /// <typeparam name="TEvent">
    /// The event type. An interface or an abstract class stands for every event type known to the bus (declared,
    /// published or subscribed to) that is assignable to it; if there is none, the bus does not start. A concrete class
    /// stands for itself only, not for the classes derived from it.
    /// </typeparam>
    /// <typeparam name="THandler">The handler type.</typeparam>
    public EventBusBuilder Subscribe<TEvent, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        string? name = null,
        Action<SubscriptionBuilder>? configure = null)
        where TEvent : notnull
        where THandler : class, IEventHandler<TEvent> =>
        Subscribe(name ?? EventNameRules.SubscriptionName(typeof(THandler), typeof(TEvent)), s =>
        {
            s.On<TEvent, THandler>();
            configure?.Invoke(s);
        });

    /// <summary>Subscribes a handler to one event type and configures the subscription.</summary>
    /// <param name="configure">Changes the settings of the subscription.</param>
    /// <typeparam name="TEvent">
    /// The event type. For an interface or an abstract class, see
    /// <see cref="Subscribe{TEvent, THandler}(string, Action{SubscriptionBuilder})"/>.
    /// </typeparam>
    /// <typeparam name="THandler">The handler type.</typeparam>
    public EventBusBuilder Subscribe<TEvent, [DynamicallyAccessedMembers(
        DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(Action<SubscriptionBuilder> configure)
        where TEvent : notnull
        where THandler : class, IEventHandler<TEvent> =>
        Subscribe<TEvent, THandler>(null, configure);

    /// <summary>Subscribes a delegate to one event type.</summary>
    /// <param name="name">
    /// The name of the subscription: unique on this bus, and the same in all versions of the application.
    /// </param>
    /// <param name="handler">
    /// The handler. <see cref="EventContext.Services"/> is a separate scope for each delivery.
    /// </param>
    /// <param name="configure">Changes the settings of the subscription; null for the defaults.</param>
    /// <typeparam name="TEvent">
    /// The event type. For an interface or an abstract class, see
    /// <see cref="Subscribe{TEvent, THandler}(string, Action{SubscriptionBuilder})"/>.
    /// </typeparam>
    public EventBusBuilder Subscribe<TEvent>(
        string name, Func<TEvent, EventContext, CancellationToken, Task> handler, Action<SubscriptionBuilder>? configure = null)
        where TEvent : notnull =>
        Subscribe(name, s =>
        {
            s.On(handler);
            configure?.Invoke(s);
        });

    /// <summary>
    /// Adds a subscription that is configured in full by <paramref name="configure"/>: one or more event types,
    /// handlers or delegates, ordering, limits.
    /// </summary>
    /// <param name="name">
    /// The name of the subscription: unique on this bus, and the same in all versions of the application. 1 to 100
    /// lower-case letters, digits, hyphens, underscores and dots.
    /// </param>
    /// <param name="configure">Adds the handlers and changes the settings.</param>
    public EventBusBuilder Subscribe(string name, Action<SubscriptionBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(configure);
        var subscription = new SubscriptionRegistration(name);
        registration.Subscriptions.Add(subscription);
        configure(new SubscriptionBuilder(registration, subscription));
        return this;
    }

    /// <summary>
    /// Subscribes to every event whose name matches a pattern, whether or not this application knows the event type.
    /// </summary>
    /// <param name="name">
    /// The name of the subscription: unique on this bus, and the same in all versions of the application.
    /// </param>
    /// <param name="pattern">
    /// Words separated by dots; <c>*</c> matches one word, <c>#</c> matches any number of words. Example:
    /// <c>order.*</c>. Event names have two or more words: a pattern that cannot match any is an error when the bus
    /// starts.
    /// </param>
    /// <param name="handler">
    /// The handler. The event is in <see cref="EventContext.Event"/> if its type is known, and always in
    /// <see cref="EventContext.Body"/>.
    /// </param>
    /// <param name="configure">Changes the settings of the subscription; null for the defaults.</param>
    public EventBusBuilder SubscribePattern(
        string name,
        string pattern,
        Func<EventContext, CancellationToken, Task> handler,
        Action<SubscriptionBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(handler);
        return Subscribe(name, s =>
        {
            s.OnPattern(pattern, handler);
            configure?.Invoke(s);
        });
    }

    /// <summary>
    /// Subscribes a handler class to every event whose name matches a pattern, whether or not this application knows
    /// the event type. The handler is registered as scoped, unless the application has registered it already.
    /// </summary>
    /// <param name="name">
    /// The name of the subscription: unique on this bus, and the same in all versions of the application.
    /// </param>
    /// <param name="pattern">The pattern, as in the overload with a delegate.</param>
    /// <param name="configure">Changes the settings of the subscription; null for the defaults.</param>
    /// <typeparam name="THandler">
    /// The handler type. It receives the event if its type is known, and otherwise the bytes of its
    /// <see cref="EventContext.Body"/> as a <see cref="ReadOnlyMemory{T}"/>.
    /// </typeparam>
    public EventBusBuilder SubscribePattern<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(
        string name, string pattern, Action<SubscriptionBuilder>? configure = null)
        where THandler : class, IEventHandler<object>
    {
        Services.TryAddScoped<THandler>();
        registration.Resolves(typeof(THandler), "handler", name);
        return SubscribePattern(
            name,
            pattern,
            static (context, cancellationToken) => context.Services.GetRequiredService<THandler>()
                .HandleAsync(context.Event ?? context.Body, context, cancellationToken),
            s =>
            {
                s.IsHandledBy(typeof(THandler));
                configure?.Invoke(s);
            });
    }

    /// <summary>
    /// Makes all subscriptions idempotent that have no idempotency settings of their own: each handles an event once,
    /// however often it is delivered. Requires a store.
    /// </summary>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public EventBusBuilder Idempotent(Action<IdempotencyOptions>? configure = null)
    {
        registration.Idempotency ??= new IdempotencyOptions();
        configure?.Invoke(registration.Idempotency);
        return this;
    }
}
