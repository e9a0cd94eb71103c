using System.Text.Json.Serialization;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>All that was registered for one bus, before it is checked.</summary>
internal sealed class BusModel(IServiceCollection services, string? key)
{
    private readonly Dictionary<Type, EventModel> byType = [];

    public IServiceCollection Services { get; } = services;

    public string? Key { get; } = key;

    /// <summary>The other buses of the application.</summary>
    public IEnumerable<BusModel> Others => Services.Where(service => service.ServiceType == typeof(BusModel)).Select(service => (BusModel)service.ImplementationInstance!).Where(other => other != this);

    public string OptionsName => Key ?? Microsoft.Extensions.Options.Options.DefaultName;

    public List<EventModel> Events { get; } = [];

    public List<SubscriptionModel> Subscriptions { get; } = [];

    public List<UpcastModel> Upcasts { get; } = [];

    public List<SagaModel> Sagas { get; } = [];

    public List<JsonSerializerContext> JsonContexts { get; } = [];

    public List<(string Call, Func<IServiceProvider, Transport> Create)> Transports { get; } = [];

    public Func<IServiceProvider, BusStores>? Stores { get; set; }

    public Func<IServiceProvider, BusStores>? DefaultStores { get; set; }

    public List<Func<IServiceProvider, IDeadLetterAlert>> Alerts { get; } = [];

    /// <summary>The webhooks among the alerts, to be checked.</summary>
    public List<(Uri Url, WebhookOptions Options)> Webhooks { get; } = [];

    public List<Func<IServiceProvider, Func<EventContext, EventStep, CancellationToken, Task>>> Middleware { get; } = [];

    public List<Func<Exception, bool>> IsPermanent { get; } = [];

    /// <summary>What holds for every subscription that does not say otherwise; null for not idempotent.</summary>
    public IdempotencyOptions? Idempotency { get; set; }

    public EventModel Event(Type type)
    {
        if (!byType.TryGetValue(type, out var model))
        {
            byType.Add(type, model = new EventModel(type) { Json = SagaJson.Of(type) });
            Events.Add(model);
        }

        return model;
    }
}

internal sealed class SubscriptionModel(string name)
{
    public string Name { get; } = name;

    public List<HandlerModel> Handlers { get; } = [];

    /// <summary>It takes the replies to a saga.</summary>
    public bool IsForSaga { get; init; }

    public string? AnyPattern { get; set; }

    public Func<EventContext, CancellationToken, Task>? AnyHandler { get; set; }

    public bool Ordered { get; set; }

    public bool ContinueWhenBlocked { get; set; }

    public List<GuardStep> Guards { get; } = [];

    public IdempotencyOptions? Idempotency { get; set; }

    public List<Func<Exception, bool>> IsPermanent { get; } = [];

    public SubscriptionOptions Options { get; } = new();
}

/// <param name="EventType">The event type.</param>
/// <param name="HandlerType">The type to resolve; null for a delegate.</param>
/// <param name="Adapt">Makes the typed call of a resolved handler, closed over the event type where it was known.</param>
internal sealed record HandlerModel(Type EventType, Type? HandlerType, Func<object, EventInvoker> Adapt)
{
    /// <summary>No event is of that type itself: it stands for those that are assignable to it.</summary>
    public bool IsForMany => EventType.IsAbstract;
}
