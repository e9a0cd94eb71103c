using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Serialization;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace EventBus;

/// <summary>Registers what a bus consists of. Used inside <c>AddEventBus</c>; repeated calls add up. Mistakes are collected and reported together when the bus starts.</summary>
public sealed class EventBusBuilder
{
    private readonly BusRegistration model;

    internal EventBusBuilder(BusRegistration model) => this.model = model;

    /// <summary>The services that the bus is registered in.</summary>
    public IServiceCollection Services => model.Services;

    /// <summary>The key of a bus added by <c>AddKeyedEventBus</c>; null for the default bus.</summary>
    public string? Key => model.Key;

    /// <summary>Subscribes a handler to one event type. The handler is registered as scoped, unless the application registered it already.</summary>
    /// <param name="name">The subscription's name, unique on this bus and stable. Default <c>handler.event</c> in kebab case, without a trailing <c>Handler</c>, <c>Consumer</c> or <c>Event</c>: <c>send-receipt.order-placed</c>.</param>
    /// <param name="configure">The subscription's settings; null for the defaults.</param>
    /// <typeparam name="TEvent">The event type. An interface or an abstract class stands for every event type known to the bus (declared, published or subscribed to) that is assignable to it; none is an error at the start. A concrete class means its own event alone, not those of classes derived from it.</typeparam>
    /// <typeparam name="THandler">The handler type.</typeparam>
    public EventBusBuilder Subscribe<TEvent, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(string? name = null, Action<SubscriptionBuilder>? configure = null)
        where TEvent : notnull
        where THandler : class, IEventHandler<TEvent> =>
        Subscribe(name ?? EventNameRules.Subscription(typeof(THandler), typeof(TEvent)), s =>
        {
            s.On<TEvent, THandler>();
            configure?.Invoke(s);
        });

    /// <summary>Subscribes a handler to one event type, with settings of its own.</summary>
    /// <param name="configure">The subscription's settings.</param>
    /// <typeparam name="TEvent">The event type; an interface or an abstract class as in <see cref="Subscribe{TEvent, THandler}(string, Action{SubscriptionBuilder})"/>.</typeparam>
    /// <typeparam name="THandler">The handler type.</typeparam>
    public EventBusBuilder Subscribe<TEvent, [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] THandler>(Action<SubscriptionBuilder> configure)
        where TEvent : notnull
        where THandler : class, IEventHandler<TEvent> =>
        Subscribe<TEvent, THandler>(null, configure);

    /// <summary>Subscribes a delegate to one event type.</summary>
    /// <param name="name">The subscription's name, unique on this bus and stable.</param>
    /// <param name="handler">The handler. <see cref="EventContext.Services"/> is a scope of each delivery's own.</param>
    /// <typeparam name="TEvent">The event type; an interface or an abstract class as in <see cref="Subscribe{TEvent, THandler}(string, Action{SubscriptionBuilder})"/>.</typeparam>
    public EventBusBuilder Subscribe<TEvent>(string name, Func<TEvent, EventContext, CancellationToken, Task> handler)
        where TEvent : notnull =>
        Subscribe(name, s => s.On(handler));

    /// <summary>Makes a subscription of its own making: several event types, delegates, order, limits.</summary>
    /// <param name="name">The subscription's name, unique on this bus and stable: lower-case letters, digits, hyphens, underscores and dots, at most 100 characters.</param>
    /// <param name="configure">What it handles, and how.</param>
    public EventBusBuilder Subscribe(string name, Action<SubscriptionBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(configure);
        var subscription = new SubscriptionRegistration(name);
        model.Subscriptions.Add(subscription);
        configure(new SubscriptionBuilder(model, subscription));
        return this;
    }

    /// <summary>Subscribes to every event whose name matches a pattern, known to this application or not.</summary>
    /// <param name="name">The subscription's name, unique on this bus and stable.</param>
    /// <param name="pattern">Words joined by dots, <c>*</c> for one word, <c>#</c> for any number: <c>order.*</c>. A pattern that no name of two or more words can match is an error at the start.</param>
    /// <param name="handler">The handler. The event is in <see cref="EventContext.Event"/> where its type is known, and always in <see cref="EventContext.Body"/>.</param>
    /// <param name="configure">The subscription's settings; null for the defaults.</param>
    public EventBusBuilder SubscribePattern(string name, string pattern, Func<EventContext, CancellationToken, Task> handler, Action<SubscriptionBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(handler);
        return Subscribe(name, s =>
        {
            s.Any(pattern, handler);
            configure?.Invoke(s);
        });
    }

    /// <summary>Declares an event type that this application publishes, so that start-up checks it too.</summary>
    /// <typeparam name="TEvent">The event type.</typeparam>
    public EventBusBuilder Publishes<TEvent>()
        where TEvent : notnull
    {
        model.Event(typeof(TEvent));
        return this;
    }

    /// <summary>Declares what holds for an event type wherever it is published.</summary>
    /// <typeparam name="TEvent">The event type.</typeparam>
    public EventTypeBuilder<TEvent> Event<TEvent>()
        where TEvent : notnull => new(model.Event(typeof(TEvent)));

    /// <summary>Registers a saga. It is registered as scoped, unless the application registered it already, and started through <see cref="ISagas"/>. Needs a store that keeps sagas.</summary>
    /// <param name="name">The saga's name, stable: one lower-case word, at most 100 characters. Default the type's name in kebab case: <c>BookTrip</c> is <c>book-trip</c>.</param>
    /// <typeparam name="TSaga">The saga.</typeparam>
    /// <typeparam name="TState">Its state.</typeparam>
    public EventBusBuilder AddSaga<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TSaga, TState>(string? name = null)
        where TSaga : Saga<TState>
        where TState : notnull
    {
        Services.TryAddScoped<TSaga>();
        model.Sagas.Add(new SagaRegistration<TSaga, TState>(name ?? EventNameRules.Kebab(typeof(TSaga))));
        return Publishes<SagaStepCompleted>().Publishes<SagaCompleted>().Publishes<SagaFailed>();
    }

    /// <summary>Carries an old version of an event forward, so that handlers of the new one receive it.</summary>
    /// <param name="upcast">Makes the new event of the old one. It is called from many threads at once.</param>
    /// <typeparam name="TOld">The old version. Same event name, lower version.</typeparam>
    /// <typeparam name="TNew">A newer version.</typeparam>
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

    /// <summary>Uses source-generated JSON type information. Several contexts add up; each keeps its own options, with the bus's limits.</summary>
    /// <param name="context">For instance <c>AppJson.Default</c>.</param>
    public EventBusBuilder UseJson(JsonSerializerContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        model.JsonContexts.Add(context);
        return this;
    }

    /// <summary>Sets how often and when a failed event is started again, for all subscriptions that do not say otherwise.</summary>
    /// <param name="count">Retries after the first start, 0 to 100. 3 without this call.</param>
    /// <param name="firstDelay">The wait before the first retry, then 6 and 24 times as long. Default: unchanged, 5 s at first.</param>
    public EventBusBuilder Retry(int count, TimeSpan? firstDelay = null) => Configure(options =>
    {
        options.Retry.Count = count;
        options.Retry.FirstDelay = firstDelay ?? options.Retry.FirstDelay;
        options.Retry.Delays = null;
    });

    /// <summary>Sets when a failed event is started again, for all subscriptions that do not say otherwise: as many retries as there are waits, each spread by the jitter.</summary>
    /// <param name="delays">The waits before the retries, 1 to 100 of them, 0 to 7 days each.</param>
    public EventBusBuilder Retry(params TimeSpan[] delays)
    {
        ArgumentNullException.ThrowIfNull(delays);
        return Configure(options => options.Retry.Delays = [.. delays]);
    }

    /// <summary>Pauses a subscription when everything that it starts fails, for all subscriptions that do not say otherwise (<see cref="SubscriptionBuilder.CircuitBreaker"/>). Never, without this call.</summary>
    /// <param name="count">How many starts in a row must fail, 1 to 1,000; 0 for never.</param>
    /// <param name="time">The time in which they must fail, 1 s to 1 day.</param>
    public EventBusBuilder CircuitBreaker(int count, TimeSpan time) => Configure(options => (options.CircuitBreakerFailures, options.CircuitBreakerWindow) = (count, time));

    /// <summary>Makes every subscription idempotent that does not say it for itself: each handles an event once, however often it is delivered. Needs a store.</summary>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public EventBusBuilder Idempotent(Action<IdempotencyOptions>? configure = null)
    {
        configure?.Invoke(model.Idempotency ??= new IdempotencyOptions());
        model.Idempotency ??= new IdempotencyOptions();
        return this;
    }

    /// <summary>Declares an exception type permanent: an event whose handler throws it goes straight to the dead letters.</summary>
    /// <typeparam name="TException">The exception type; types derived from it count too.</typeparam>
    public EventBusBuilder DeadLetterOn<TException>()
        where TException : Exception
    {
        model.IsPermanent.Add(static exception => exception is TException);
        return this;
    }

    /// <summary>Alerts people when an event has failed for good. Several alerts add up. Registered as a singleton unless it is registered already.</summary>
    /// <typeparam name="TAlert">The alert.</typeparam>
    public EventBusBuilder AddAlert<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TAlert>()
        where TAlert : class, IDeadLetterNotifier
    {
        Services.TryAddSingleton<TAlert>();
        model.Alerts.Add(static services => services.GetRequiredService<TAlert>());
        return this;
    }

    /// <summary>Alerts people through a webhook when an event has failed for good: a POST of JSON with the fields <c>text</c> (one line, for chat tools), <c>service</c>, <c>subscription</c>, <c>event</c>, <c>reason</c>, <c>error</c>, <c>count</c>, <c>firstId</c> and <c>ids</c> (at most 100). Several webhooks add up.</summary>
    /// <remarks>A network error, a time-out, 408, 429 and 5xx are tried again at once, twice at most; whatever fails then is logged, and sent again later, under the same ids. The URL is a secret: only its host is ever logged.</remarks>
    /// <param name="url">Where to post: https, or http on this machine; without a user name, which belongs into the header <c>Authorization</c>.</param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public EventBusBuilder AddWebhookAlert(Uri url, Action<WebhookOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(url);
        var options = new WebhookOptions();
        configure?.Invoke(options);
        model.Webhooks.Add((url, options));

        // A service of its own, so that the container closes it.
        var key = new object();
        Services.AddKeyedSingleton(key, (services, _) => new WebhookNotifier(url, options, services.GetService<TimeProvider>() ?? TimeProvider.System));
        model.Alerts.Add(services => services.GetRequiredKeyedService<WebhookNotifier>(key));
        return this;
    }

    /// <summary>Runs code round every handler call, in the order of registration.</summary>
    /// <param name="middleware">Called with the delivery, the rest of the pipeline and the token.</param>
    public EventBusBuilder Use(Func<EventContext, EventDelegate, CancellationToken, Task> middleware)
    {
        ArgumentNullException.ThrowIfNull(middleware);
        model.Middleware.Add(_ => middleware);
        return this;
    }

    /// <summary>Runs middleware round every handler call, in the order of registration. Registered as a singleton unless it is registered already.</summary>
    /// <typeparam name="TMiddleware">The middleware.</typeparam>
    public EventBusBuilder Use<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TMiddleware>()
        where TMiddleware : class, IEventMiddleware
    {
        Services.TryAddSingleton<TMiddleware>();
        model.Middleware.Add(static services => services.GetRequiredService<TMiddleware>().InvokeAsync);
        return this;
    }

    /// <summary>Changes the settings of this bus.</summary>
    /// <param name="configure">Changes the options; runs when the bus is made, in the order of the calls.</param>
    public EventBusBuilder Configure(Action<EventBusOptions> configure)
    {
        Services.Configure(model.OptionsName, configure);
        return this;
    }

    /// <summary>Binds the settings of this bus from configuration, for instance <c>configuration.GetSection("EventBus")</c>.</summary>
    /// <param name="section">The section.</param>
    public EventBusBuilder Configure(IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        return Configure(options => section.Bind(options));
    }

    /// <summary>Sets the backend. Called by a backend's own <c>Use...</c> method; exactly one is needed.</summary>
    /// <param name="call">The call that the user wrote, for errors: <c>UseInMemory()</c>.</param>
    /// <param name="create">Makes the transport; the bus disposes it. Connecting waits until it is started.</param>
    public EventBusBuilder UseTransport(string call, Func<IServiceProvider, Transport> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        model.Transports.Add((call, create));
        return this;
    }

    /// <summary>Sets where retries, dead letters and delays are kept. Called by a package's own method. The last call wins.</summary>
    /// <param name="create">Makes the stores.</param>
    public EventBusBuilder UseStores(Func<IServiceProvider, BusStores> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        model.Stores = create;
        return this;
    }

    /// <summary>Sets the stores that come with a backend, used unless <see cref="UseStores"/> says otherwise, before or after.</summary>
    /// <param name="create">Makes the stores.</param>
    public EventBusBuilder UseDefaultStores(Func<IServiceProvider, BusStores> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        model.DefaultStores = create;
        return this;
    }
}
