using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace EventBus;

/// <summary>Configures one subscription: its handlers and its settings.</summary>
public sealed class SubscriptionBuilder
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
    /// Handles the events of one key one at a time, in the order in which they were published. Events with different
    /// keys are handled in parallel. Events without a key are handled in order, as if they had one common key.
    /// </summary>
    /// <remarks>
    /// A failed event holds back the later events of its key until it succeeds, or until an operator retries or
    /// discards it.
    /// </remarks>
    public SubscriptionBuilder Ordered()
    {
        subscription.Ordered = true;
        return this;
    }

    /// <summary>
    /// Sets what happens to the later events of a key after an event became a dead letter, in an ordered or sequenced
    /// subscription. By default they wait until an operator retries or discards the dead letter.
    /// </summary>
    /// <param name="behavior">The behavior. Default <see cref="BlockedKeyBehavior.Wait"/>.</param>
    public SubscriptionBuilder OnBlockedKey(BlockedKeyBehavior behavior)
    {
        subscription.ContinueWhenBlocked = behavior == BlockedKeyBehavior.Continue;
        return this;
    }

    /// <summary>
    /// Adds an order guard, which decides before each event of a type whether the event may be handled now. If there
    /// are several guards, the first one that does not return <see cref="OrderDecision.Proceed"/> decides. The guard is
    /// registered as scoped, unless the application has registered it already.
    /// </summary>
    /// <param name="configure">Changes how long events may wait; null for the defaults.</param>
    /// <typeparam name="TEvent">The event type that the handler receives.</typeparam>
    /// <typeparam name="TGuard">The guard type.</typeparam>
    public SubscriptionBuilder Guard<TEvent, [DynamicallyAccessedMembers(
        DynamicallyAccessedMemberTypes.PublicConstructors)] TGuard>(Action<OrderGuardOptions>? configure = null)
        where TEvent : notnull
        where TGuard : class, IOrderGuard<TEvent>
    {
        registration.Services.TryAddScoped<TGuard>();
        subscription.Guards.Add(new CustomGuardBinding<TEvent, TGuard>(Options(configure)));
        return this;
    }

    /// <summary>
    /// Handles the events of each key in the order of their sequence numbers, in whatever order they arrive: number n +
    /// 1 after number n. An event that arrives too early waits in the store until the gap is filled. An event is
    /// skipped if the sequence has already passed its number.
    /// </summary>
    /// <remarks>
    /// Only the sequence numbers decide, never clocks. They are kept in the store, also across restarts, for 90 days
    /// after the last event of a key. If a gap is not filled in time, each event behind it becomes a dead letter. When
    /// an operator retries the dead letter with the lowest number, the sequence continues without the missing events.
    /// </remarks>
    /// <param name="number">
    /// Returns the sequence number of an event within its key. Called from many threads concurrently.
    /// </param>
    /// <param name="first">The first sequence number of every key. Default 1.</param>
    /// <param name="configure">Changes how long events may wait; null for the defaults.</param>
    /// <typeparam name="TEvent">The event type that the handler receives.</typeparam>
    public SubscriptionBuilder Sequenced<TEvent>(Func<TEvent, long> number, long first = 1, Action<OrderGuardOptions>? configure = null)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(number);
        subscription.Guards.Add(new SequenceGuardBinding<TEvent>(number, first, Options(configure)));
        return this;
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

    /// <summary>
    /// Sets the number of retries of a failed event and the delays between them. Values that are not set here are taken
    /// from the bus.
    /// </summary>
    /// <param name="maxRetryAttempts">The number of retries after the first attempt, 0 to 100.</param>
    /// <param name="delay">
    /// The delay before the first retry, 0 to 1 day; each later one is longer by
    /// <see cref="RetryOptions.BackoffFactor"/>. Null leaves the delay unchanged. If it was never set, the delay of the
    /// bus applies.
    /// </param>
    public SubscriptionBuilder Retry(int maxRetryAttempts, TimeSpan? delay = null)
    {
        subscription.Options.Retry.Set(maxRetryAttempts, delay);
        return this;
    }

    /// <summary>
    /// Sets the delays before the retries of a failed event. There are as many retries as delays. The jitter of the bus
    /// applies to each delay.
    /// </summary>
    /// <param name="delays">The delays before the retries: 1 to 100 delays of 0 to 7 days each.</param>
    public SubscriptionBuilder Retry(params TimeSpan[] delays)
    {
        ArgumentNullException.ThrowIfNull(delays);
        subscription.Options.Retry.Delays = [.. delays];
        return this;
    }

    /// <summary>Sets the retries of a failed event. Values that are not set are taken from the bus.</summary>
    /// <param name="configure">Changes the options.</param>
    public SubscriptionBuilder Retry(Action<RetryOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        configure(subscription.Options.Retry);
        return this;
    }

    /// <summary>
    /// Declares an exception type permanent for this subscription: an event whose handler throws it becomes a dead
    /// letter without a retry.
    /// </summary>
    /// <typeparam name="TException">The exception type. Derived types are included.</typeparam>
    public SubscriptionBuilder DeadLetterOn<TException>()
        where TException : Exception
    {
        subscription.IsPermanent.Add(static exception => exception is TException);
        return this;
    }

    /// <summary>
    /// Declares some exceptions of a type permanent for this subscription: an event whose handler throws one becomes a
    /// dead letter without a retry.
    /// </summary>
    /// <param name="predicate">
    /// Returns true for the exceptions that are permanent. Called concurrently, and possibly more than once for an
    /// exception. If it throws, that is logged, and the exception is not permanent.
    /// </param>
    /// <typeparam name="TException">The exception type. Derived types are included.</typeparam>
    public SubscriptionBuilder DeadLetterOn<TException>(Func<TException, bool> predicate)
        where TException : Exception
    {
        ArgumentNullException.ThrowIfNull(predicate);
        subscription.IsPermanent.Add(exception => exception is TException typed && predicate(typed));
        return this;
    }

    /// <summary>
    /// Pauses the subscription when all attempts fail, for instance because a mail server is down. Without a circuit
    /// breaker, all events that arrive during such a failure become dead letters.
    /// </summary>
    /// <remarks>
    /// A paused subscription takes no events and starts no retries, and the health check reports degraded. The
    /// subscription probes with one event at a time. The first probe follows after <paramref name="within"/>, at most
    /// 30 s. Each further wait is twice as long, at most 5 min. Retries and new events take turns as probes. The first
    /// success ends the pause. A failure during the pause does not use up a retry of its event. Exceptions that are
    /// declared permanent make a dead letter as usual, and the circuit breaker ignores them. Each instance decides
    /// independently.
    /// </remarks>
    /// <param name="failures">
    /// The number of consecutive attempts that must fail, 1 to 1,000; 0 to never pause. Choose more than the attempts
    /// of one event (4 by default), so that a single bad event does not pause the subscription.
    /// </param>
    /// <param name="within">The time within which they must fail, 1 s to 1 day.</param>
    public SubscriptionBuilder CircuitBreaker(int failures, TimeSpan within)
    {
        subscription.Options.CircuitBreakerFailures = failures;
        subscription.Options.CircuitBreakerWindow = within;
        return this;
    }

    internal void OnPattern(string pattern, Func<EventContext, CancellationToken, Task> handler)
    {
        subscription.Pattern = pattern;
        subscription.PatternHandler = handler;
    }

    private static OrderGuardOptions Options(Action<OrderGuardOptions>? configure)
    {
        var options = new OrderGuardOptions();
        configure?.Invoke(options);
        return options;
    }

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
