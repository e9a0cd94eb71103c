using System.Text.Json;
using System.Text.Json.Serialization;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Collects everything that is registered for one bus, before it is checked.</summary>
internal sealed class BusRegistration(IServiceCollection services, string? key)
{
    private readonly Dictionary<Type, EventTypeRegistration> byType = [];

    public IServiceCollection Services { get; } = services;

    public string? Key { get; } = key;

    /// <summary>The other buses of the application.</summary>
    public IEnumerable<BusRegistration> Others => Services.Where(service => service.ServiceType == typeof(BusRegistration))
        .Select(service => (BusRegistration)service.ImplementationInstance!)
        .Where(other => other != this);

    public string OptionsName => Key ?? Microsoft.Extensions.Options.Options.DefaultName;

    public List<EventTypeRegistration> Events { get; } = [];

    public List<SubscriptionRegistration> Subscriptions { get; } = [];

    public List<UpcastRegistration> Upcasts { get; } = [];

    public List<SagaRegistration> Sagas { get; } = [];

    public List<JsonSerializerContext> JsonContexts { get; } = [];

    /// <summary>The changes of the JSON options, in the order of the calls.</summary>
    public List<Action<JsonSerializerOptions>> JsonSettings { get; } = [];

    /// <summary>The chosen backends, each with the call in the application's code. Exactly one is valid.</summary>
    public List<(string Call, Func<IServiceProvider, Transport> Create)> Transports { get; } = [];

    public Func<IServiceProvider, BusStores>? Stores { get; set; }

    /// <summary>The stores of the backend, which are used if <see cref="Stores"/> is null.</summary>
    public Func<IServiceProvider, BusStores>? DefaultStores { get; set; }

    public List<Func<IServiceProvider, IDeadLetterNotifier>> Alerts { get; } = [];

    /// <summary>The webhooks among the alerts. Their options are checked when the bus starts.</summary>
    public List<(Uri Url, WebhookOptions Options)> Webhooks { get; } = [];

    public List<Func<IServiceProvider, Func<EventContext, EventDelegate, CancellationToken, Task>>> Middleware { get; } = [];

    /// <summary>
    /// The handlers, guards, middleware and alerts that are resolved by their types. Their dependencies are checked
    /// when the bus starts.
    /// </summary>
    public List<ResolvedType> ResolvedTypes { get; } = [];

    /// <summary>The predicates of exceptions after which an event becomes a dead letter without a retry.</summary>
    public List<Func<Exception, bool>> IsPermanent { get; } = [];

    /// <summary>
    /// The default idempotency options of all subscriptions; null if subscriptions are not idempotent by default.
    /// </summary>
    public IdempotencyOptions? Idempotency { get; set; }

    /// <summary>The configuration sections that are bound to the options of the bus.</summary>
    public List<BoundSection<EventBusOptions>> Sections { get; } = [];

    /// <summary>Notes a type of a subscription that is resolved from the container.</summary>
    public void Resolves(Type type, string role, string subscription) =>
        ResolvedTypes.Add(new ResolvedType(type, $"The {role} {type} of the subscription '{subscription}'"));

    /// <summary>Returns the registration of an event type, and adds it if it does not exist yet.</summary>
    public EventTypeRegistration Event(Type type)
    {
        if (!byType.TryGetValue(type, out var declared))
        {
            declared = new EventTypeRegistration(type) { Json = SagaJson.Of(type) };
            byType.Add(type, declared);
            Events.Add(declared);
        }

        return declared;
    }
}
