using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace EventBus;

/// <summary>
/// Registers the parts of a bus. Used inside <c>AddEventBus</c>. Repeated calls add to the registration. Configuration
/// errors are collected and reported together when the bus starts.
/// </summary>
public sealed class EventBusBuilder
{
    private readonly BusRegistration model;

    internal EventBusBuilder(BusRegistration model) => this.model = model;

    /// <summary>The service collection in which the bus is registered.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public IServiceCollection Services => model.Services;

    /// <summary>The key of a bus added by <c>AddKeyedEventBus</c>; null for the default bus.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public string? Key => model.Key;

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
        Subscribe(name ?? EventNameRules.Subscription(typeof(THandler), typeof(TEvent)), s =>
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
        model.Subscriptions.Add(subscription);
        configure(new SubscriptionBuilder(model, subscription));
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
            s.Any(pattern, handler);
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
    /// <param name="pattern">As for the delegate.</param>
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
        return SubscribePattern(
            name,
            pattern,
            static (context, cancellationToken) => context.Services.GetRequiredService<THandler>()
                .HandleAsync(context.Event ?? context.Body, context, cancellationToken),
            configure);
    }

    /// <summary>
    /// Declares an event type that this application publishes, so that it is checked when the bus starts.
    /// </summary>
    /// <typeparam name="TEvent">The event type.</typeparam>
    public EventBusBuilder Publishes<TEvent>()
        where TEvent : notnull
    {
        model.Event(typeof(TEvent));
        return this;
    }

    /// <summary>
    /// Returns a builder for the settings of an event type, which apply wherever the event is published.
    /// </summary>
    /// <typeparam name="TEvent">The event type.</typeparam>
    public EventTypeBuilder<TEvent> Event<TEvent>()
        where TEvent : notnull => new(model.Event(typeof(TEvent)));

    /// <summary>
    /// Registers a saga, which is started through <see cref="ISagas"/>. It is registered as scoped, unless the
    /// application has registered it already. Requires a store that keeps sagas.
    /// </summary>
    /// <param name="name">
    /// The name of the saga, the same in all versions of the application: one lower-case word, at most 100 characters.
    /// Default: the name of the type in kebab case, for instance <c>book-trip</c> for <c>BookTrip</c>.
    /// </param>
    /// <typeparam name="TSaga">The saga type.</typeparam>
    /// <typeparam name="TState">The type of the saga's state.</typeparam>
    public EventBusBuilder AddSaga<[DynamicallyAccessedMembers(
        DynamicallyAccessedMemberTypes.PublicConstructors)] TSaga, TState>(string? name = null)
        where TSaga : Saga<TState>
        where TState : notnull
    {
        Services.TryAddScoped<TSaga>();
        model.Sagas.Add(new SagaRegistration<TSaga, TState>(name ?? EventNameRules.Kebab(typeof(TSaga))));
        return Publishes<SagaStepCompleted>().Publishes<SagaCompleted>().Publishes<SagaFailed>();
    }

    /// <summary>
    /// Converts an old version of an event into a newer one, so that handlers of the newer version receive it.
    /// </summary>
    /// <param name="upcast">Creates the newer event from the old one. Called from many threads concurrently.</param>
    /// <typeparam name="TOld">The old version: the same event name, a lower version.</typeparam>
    /// <typeparam name="TNew">The newer version.</typeparam>
    public EventBusBuilder Upcast<TOld, TNew>(Func<TOld, TNew> upcast)
        where TOld : notnull
        where TNew : notnull
    {
        ArgumentNullException.ThrowIfNull(upcast);
        model.Event(typeof(TOld));
        model.Event(typeof(TNew));
        model.Upcasts.Add(new UpcastRegistration(typeof(TOld), typeof(TNew), old => upcast((TOld)old)));
        return this;
    }

    /// <summary>
    /// Uses source-generated JSON type information. Several contexts can be added. Each context keeps its own options,
    /// with the limits of the bus.
    /// </summary>
    /// <param name="context">The context, for instance <c>AppJson.Default</c>.</param>
    public EventBusBuilder UseJson(JsonSerializerContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        model.JsonContexts.Add(context);
        return this;
    }

    /// <summary>
    /// Sets the number of retries of a failed event and the delays between them, for all subscriptions and saga steps
    /// that have no settings of their own.
    /// </summary>
    /// <param name="maxRetryAttempts">
    /// The number of retries after the first attempt, 0 to 100. Without this call: 3.
    /// </param>
    /// <param name="delay">
    /// The delay before the first retry, 0 to 1 day; each later one is longer by
    /// <see cref="RetryOptions.BackoffFactor"/>. Null leaves it unchanged: 5 s unless it was set before.
    /// </param>
    public EventBusBuilder Retry(int maxRetryAttempts, TimeSpan? delay = null) =>
        Configure(options => options.Retry.Set(maxRetryAttempts, delay));

    /// <summary>
    /// Sets the delays before the retries of a failed event, for all subscriptions and saga steps that have no settings
    /// of their own. There are as many retries as delays. The jitter applies to each delay.
    /// </summary>
    /// <param name="delays">The delays before the retries: 1 to 100 delays of 0 to 7 days each.</param>
    public EventBusBuilder Retry(params TimeSpan[] delays)
    {
        ArgumentNullException.ThrowIfNull(delays);
        return Configure(options => options.Retry.Delays = [.. delays]);
    }

    /// <summary>
    /// Sets the retries of a failed event, for all subscriptions and saga steps that have no settings of their own.
    /// </summary>
    /// <param name="configure">Changes the options. Runs when the bus is created, in the order of the calls.</param>
    public EventBusBuilder Retry(Action<RetryOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Configure(options => configure(options.Retry));
    }

    /// <summary>
    /// Pauses a subscription when all its attempts fail (<see cref="SubscriptionBuilder.CircuitBreaker"/>). Applies to
    /// all subscriptions that have no settings of their own. Without this call, subscriptions are never paused.
    /// </summary>
    /// <param name="failures">The number of consecutive attempts that must fail, 1 to 1,000; 0 to never pause.</param>
    /// <param name="within">The time within which they must fail, 1 s to 1 day.</param>
    public EventBusBuilder CircuitBreaker(int failures, TimeSpan within) =>
        Configure(options => (options.CircuitBreakerFailures, options.CircuitBreakerWindow) = (failures, within));

    /// <summary>
    /// Makes all subscriptions idempotent that have no idempotency settings of their own: each handles an event once,
    /// however often it is delivered. Requires a store.
    /// </summary>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public EventBusBuilder Idempotent(Action<IdempotencyOptions>? configure = null)
    {
        configure?.Invoke(model.Idempotency ??= new IdempotencyOptions());
        model.Idempotency ??= new IdempotencyOptions();
        return this;
    }

    /// <summary>
    /// Declares an exception type permanent: an event whose handler throws it becomes a dead letter without a retry.
    /// </summary>
    /// <typeparam name="TException">The exception type. Derived types are included.</typeparam>
    public EventBusBuilder DeadLetterOn<TException>()
        where TException : Exception
    {
        model.IsPermanent.Add(static exception => exception is TException);
        return this;
    }

    /// <summary>
    /// Declares some exceptions of a type permanent: an event whose handler throws one becomes a dead letter without a
    /// retry.
    /// </summary>
    /// <param name="predicate">
    /// Returns true for the exceptions that are permanent. Called concurrently, and possibly more than once for an
    /// exception. If it throws, that is logged, and the exception is not permanent.
    /// </param>
    /// <typeparam name="TException">The exception type. Derived types are included.</typeparam>
    public EventBusBuilder DeadLetterOn<TException>(Func<TException, bool> predicate)
        where TException : Exception
    {
        ArgumentNullException.ThrowIfNull(predicate);
        model.IsPermanent.Add(exception => exception is TException typed && predicate(typed));
        return this;
    }

    /// <summary>
    /// Adds an alert, which is called for dead letters and for sagas that need an operator. Several alerts can be
    /// added. It is registered as a singleton, unless the application has registered it already.
    /// </summary>
    /// <typeparam name="TAlert">The alert type.</typeparam>
    public EventBusBuilder AddAlert<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TAlert>()
        where TAlert : class, IDeadLetterNotifier
    {
        Services.TryAddSingleton<TAlert>();
        model.Alerts.Add(static services => services.GetRequiredService<TAlert>());
        return this;
    }

    /// <summary>
    /// Adds a webhook, which is called for dead letters and for sagas that need an operator. It receives a POST request
    /// with a JSON body with the fields <c>text</c> (one line, for chat tools), <c>service</c>, <c>subscription</c>,
    /// <c>event</c>, <c>reason</c>, <c>error</c>, <c>count</c>, <c>firstId</c> and <c>ids</c> (at most 100). Several
    /// webhooks can be added.
    /// </summary>
    /// <remarks>
    /// Network errors, timeouts and the status codes 408, 429 and 5xx are retried at most twice within the call, after
    /// 1 s to 5 s. If the call still fails, the failure is logged, and the alert is sent again later with the same ids.
    /// The URL is a secret: only its host is logged.
    /// </remarks>
    /// <param name="url">
    /// The URL: https, or http to this machine (<see cref="WebhookOptions.AllowInsecure"/> allows http to other
    /// machines). It must not contain a user name: use the <c>Authorization</c> header instead.
    /// </param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public EventBusBuilder AddWebhookAlert(Uri url, Action<WebhookOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(url);
        var options = new WebhookOptions();
        configure?.Invoke(options);
        model.Webhooks.Add((url, options));

        // Registered as a service, so that the container disposes it.
        var key = new object();
        Services.AddKeyedSingleton(
            key,
            (services, _) => new WebhookNotifier(url, options, services.GetService<TimeProvider>() ?? TimeProvider.System));
        model.Alerts.Add(services => services.GetRequiredKeyedService<WebhookNotifier>(key));
        return this;
    }

    /// <summary>
    /// Adds middleware that runs around every handler call. Middleware runs in the order of registration.
    /// </summary>
    /// <param name="middleware">Called with the delivery, the rest of the pipeline and the cancellation token.</param>
    public EventBusBuilder Use(Func<EventContext, EventDelegate, CancellationToken, Task> middleware)
    {
        ArgumentNullException.ThrowIfNull(middleware);
        model.Middleware.Add(_ => middleware);
        return this;
    }

    /// <summary>
    /// Adds middleware that runs around every handler call. Middleware runs in the order of registration. It is
    /// registered as a singleton, unless the application has registered it already.
    /// </summary>
    /// <typeparam name="TMiddleware">The middleware type.</typeparam>
    public EventBusBuilder Use<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TMiddleware>()
        where TMiddleware : class, IEventMiddleware
    {
        Services.TryAddSingleton<TMiddleware>();
        model.Middleware.Add(static services => services.GetRequiredService<TMiddleware>().InvokeAsync);
        return this;
    }

    /// <summary>Changes the settings of this bus.</summary>
    /// <param name="configure">Changes the options. Runs when the bus is created, in the order of the calls.</param>
    public EventBusBuilder Configure(Action<EventBusOptions> configure)
    {
        Services.Configure(model.OptionsName, configure);
        return this;
    }

    /// <summary>
    /// Binds the settings of this bus from configuration, for instance <c>configuration.GetSection("EventBus")</c>. A
    /// key that is not a setting is an error when the bus starts.
    /// </summary>
    /// <remarks>
    /// The section may contain the sections of backends and stores, for instance <c>EventBus:Redis</c>: those that are
    /// bound to options, and <c>InMemory</c>, <c>RabbitMq</c>, <c>Redis</c>, <c>RedisPubSub</c> and <c>Sqlite</c>.
    /// </remarks>
    /// <param name="section">The configuration section.</param>
    public EventBusBuilder Configure(IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        var bound = EventBusSection.Create(section);
        model.Sections.Add(bound);
        Services.AddSingleton(bound.Path);
        return Configure(bound.Bind);
    }

    /// <summary>
    /// Sets the backend. Called by the <c>Use...</c> method of a backend. Exactly one backend is required.
    /// </summary>
    /// <param name="call">The call that the user wrote, for error messages: <c>UseInMemory()</c>.</param>
    /// <param name="create">
    /// Creates the transport. The bus disposes it. The transport must not connect before it is started.
    /// </param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public EventBusBuilder UseTransport(string call, Func<IServiceProvider, Transport> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        model.Transports.Add((call, create));
        return this;
    }

    /// <summary>
    /// Sets the stores for retries, dead letters and delayed events. Called by the method of a store package. The last
    /// call wins.
    /// </summary>
    /// <param name="create">Creates the stores.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public EventBusBuilder UseStores(Func<IServiceProvider, BusStores> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        model.Stores = create;
        return this;
    }

    /// <summary>
    /// Sets the default stores of a backend. They are used unless <see cref="UseStores"/> is called, before or after
    /// this call.
    /// </summary>
    /// <param name="create">Creates the stores.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public EventBusBuilder UseDefaultStores(Func<IServiceProvider, BusStores> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        model.DefaultStores = create;
        return this;
    }
}
