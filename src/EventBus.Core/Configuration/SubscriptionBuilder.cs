using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace EventBus;

/// <summary>What one subscription handles, and how.</summary>
public sealed class SubscriptionBuilder
{
    private readonly BusRegistration model;
    private readonly SubscriptionRegistration subscription;

    internal SubscriptionBuilder(BusRegistration model, SubscriptionRegistration subscription)
    {
        this.model = model;
        this.subscription = subscription;
    }

    /// <summary>Handles one more event type. The handler is registered as scoped, unless the application registered it already.</summary>
    /// <typeparam name="TEvent">The event type. An interface or an abstract class stands for every event type known to the bus (declared, published or subscribed to) that is assignable to it, except those with a handler of their own here. A concrete class means its own event alone, not those of classes derived from it.</typeparam>
    /// <typeparam name="THandler">The handler type.</typeparam>
    public SubscriptionBuilder On<TEvent, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>()
        where TEvent : notnull
        where THandler : class, IEventHandler<TEvent>
    {
        model.Services.TryAddScoped<THandler>();
        return Bind(new HandlerRegistration(typeof(TEvent), typeof(THandler), static handler => new TypedHandler<TEvent>((IEventHandler<TEvent>)handler)));
    }

    /// <summary>Handles one more event type with a delegate.</summary>
    /// <param name="handler">The handler. <see cref="EventContext.Services"/> is a scope of each delivery's own.</param>
    /// <typeparam name="TEvent">The event type; an interface or an abstract class as in <see cref="On{TEvent, THandler}()"/>.</typeparam>
    public SubscriptionBuilder On<TEvent>(Func<TEvent, EventContext, CancellationToken, Task> handler)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Bind(new HandlerRegistration(typeof(TEvent), null, _ => new DelegateHandler<TEvent>(handler)));
    }

    /// <summary>Handles the events of one key one at a time, in the order in which they were published, in parallel across keys. Events without a key are in order among themselves.</summary>
    /// <remarks>A failed event holds back the later events of its own key until it succeeds or people retry or discard it.</remarks>
    public SubscriptionBuilder Ordered()
    {
        subscription.Ordered = true;
        return this;
    }

    /// <summary>Says what a dead letter of an ordered or sequenced subscription means for the later events of its key. By default they wait until people retry or discard it.</summary>
    /// <param name="action">What happens to them.</param>
    public SubscriptionBuilder OnBlockedKey(BlockedKeyBehavior action)
    {
        subscription.ContinueWhenBlocked = action == EventBus.BlockedKeyBehavior.Continue;
        return this;
    }

    /// <summary>Asks a guard before each event of a type whether it is its turn. Several guards add up: the first that does not say proceed decides. Registered as scoped, unless the application registered it already.</summary>
    /// <param name="configure">Changes how long events may wait; null for the defaults.</param>
    /// <typeparam name="TEvent">The event type, as the handler takes it.</typeparam>
    /// <typeparam name="TGuard">The guard.</typeparam>
    public SubscriptionBuilder Guard<TEvent, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TGuard>(Action<OrderGuardOptions>? configure = null)
        where TEvent : notnull
        where TGuard : class, IOrderGuard<TEvent>
    {
        model.Services.TryAddScoped<TGuard>();
        subscription.Guards.Add(new CustomGuardBinding<TEvent, TGuard>(Options(configure)));
        return this;
    }

    /// <summary>Handles the events of each key in the order of their numbers, whatever the order in which they arrive: number n + 1 after number n. What comes too early waits in the store until the gap is filled; what was passed already is skipped.</summary>
    /// <remarks>The numbers decide, never clocks; they are kept in the store, across restarts, for 90 days after the last event of a key. A gap that is not filled in time makes a dead letter of each event behind it; people who retry the first of them give the missing event up.</remarks>
    /// <param name="number">The event's number within its key; called from many threads at once.</param>
    /// <param name="first">The number with which every key begins. Default 1.</param>
    /// <param name="configure">Changes how long events may wait; null for the defaults.</param>
    /// <typeparam name="TEvent">The event type, as the handler takes it.</typeparam>
    public SubscriptionBuilder Sequenced<TEvent>(Func<TEvent, long> number, long first = 1, Action<OrderGuardOptions>? configure = null)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(number);
        subscription.Guards.Add(new SequenceGuardBinding<TEvent>(number, first, Options(configure)));
        return this;
    }

    /// <summary>Handles each event once, however often it is delivered: copies are recognised by the event's id, also when they come at once, and after a crash. Needs a store.</summary>
    /// <remarks>What the handler publishes through its context, and does in <see cref="EventContext.OnCommit"/>, is exactly once; its other effects happen at least once: give them <see cref="EventContext.IdempotencyKey"/>.</remarks>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public SubscriptionBuilder Idempotent(Action<IdempotencyOptions>? configure = null)
    {
        subscription.Idempotency ??= new IdempotencyOptions();
        configure?.Invoke(subscription.Idempotency);
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
        subscription.Options.RetryDelays = null;
        return this;
    }

    /// <summary>Sets when a failed event is started again: as many retries as there are waits, each spread by the jitter of the bus.</summary>
    /// <param name="delays">The waits before the retries, 1 to 100 of them, 0 to 7 days each.</param>
    public SubscriptionBuilder Retry(params TimeSpan[] delays)
    {
        ArgumentNullException.ThrowIfNull(delays);
        subscription.Options.RetryDelays = [.. delays];
        return this;
    }

    /// <summary>Declares an exception type permanent for this subscription: an event whose handler throws it goes straight to the dead letters.</summary>
    /// <typeparam name="TException">The exception type; types derived from it count too.</typeparam>
    public SubscriptionBuilder DeadLetterOn<TException>()
        where TException : Exception
    {
        subscription.IsPermanent.Add(static exception => exception is TException);
        return this;
    }

    /// <summary>Pauses the subscription when everything fails, for instance because the mail server is down, instead of making dead letters of all its events.</summary>
    /// <remarks>
    /// While paused it takes no events and starts no retries, the health check is degraded, and it probes with one event at a time: after as long as <paramref name="time"/> (at most 30 s), then
    /// after twice as long each time, at most 5 min. Retries and new events take turns. The first success ends the pause; a failure during the pause uses up no retry of its event, unless the
    /// exception was declared permanent: such exceptions count neither way. Each instance decides for itself.
    /// </remarks>
    /// <param name="count">How many starts in a row must fail, 1 to 1,000; 0 for never. More than the starts of one event (4 by default), so that one bad event alone pauses nothing.</param>
    /// <param name="time">The time in which they must fail, 1 s to 1 day.</param>
    public SubscriptionBuilder CircuitBreaker(int count, TimeSpan time)
    {
        (subscription.Options.CircuitBreakerFailures, subscription.Options.CircuitBreakerWindow) = (count, time);
        return this;
    }

    internal void Any(string pattern, Func<EventContext, CancellationToken, Task> handler)
    {
        subscription.AnyPattern = pattern;
        subscription.AnyHandler = handler;
    }

    private static OrderGuardOptions Options(Action<OrderGuardOptions>? configure)
    {
        var options = new OrderGuardOptions();
        configure?.Invoke(options);
        return options;
    }

    private SubscriptionBuilder Bind(HandlerRegistration handler)
    {
        if (!handler.IsForMany)
        {
            model.Event(handler.EventType);
        }

        subscription.Handlers.Add(handler);
        return this;
    }
}
