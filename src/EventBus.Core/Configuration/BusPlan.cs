using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Contains a checked registration: everything that is needed to build a bus.</summary>
internal sealed record BusPlan(
    EventBusOptions Options,
    string ServiceName,
    EventJson Json,
    EventRegistry Events,
    IReadOnlyList<SubscriptionPlan> Subscriptions,
    IReadOnlyList<SagaDescription> Sagas)
{
    /// <summary>The registration that was checked.</summary>
    public required BusRegistration Model { get; init; }

    private const int MaxNameLength = 100;
    private const int HashLength = 8;
    private const int KeyHashLength = 32;
    private const char KeyMark = '+';

    /// <summary>
    /// Checks a registration against the features of its backend and its stores. Reports all errors together.
    /// </summary>
    /// <exception cref="EventBusConfigurationException">The registration has at least one error.</exception>
    public static BusPlan Make(
        BusRegistration model,
        IReadOnlyList<SagaDescription> sagas,
        EventBusOptions options,
        string? applicationName,
        TransportFeatures? features,
        BusStores? stores,
        IEnumerable<string> found)
    {
        var problems = new List<string>(found);
        CheckTransports(model, problems);
        CheckKeys(model, problems);
        problems.AddRange(EventBusSection.Problems(model));
        OptionsCheck.Check(options, new EventBusOptionsValidator(), null, problems);
        CheckWebhooks(model, problems);
        var serviceName = NameOfBus(NameOfService(options, applicationName), model.Key);
        var json = new EventJson(model.JsonContexts, Math.Clamp(options.MaxDepth, 1, 1_000));
        var events = DescribeEvents(model, json, features, stores, problems);
        CheckUpcasts(model, events, problems);
        SagaCompiler.CheckNeeds(model, json, stores, problems);
        var subscriptions = PlanSubscriptions(model, options, events, problems);
        CheckFeatures(features, events.Values, options.Consume ? subscriptions : [], problems);
        if (options.Consume)
        {
            CheckStores(model, stores, problems);
            if (stores?.Failures is not (null or KeyedFailureStore))
            {
                CheckUnkeyed(model, options, stores.Name, problems);
            }
        }

        if (options.Consume && subscriptions.Count > 0 && features is not null && stores?.Failures is null)
        {
            problems.Add($"No store keeps failed events, so a failure would be lost: {features.System} is no store. Add one, for "
                + "instance bus.StoreInMemory() for a store that forgets.");
        }

        return problems.Count > 0
            ? throw new EventBusConfigurationException(problems)
            : new BusPlan(
                options,
                serviceName,
                json,
                new EventRegistry([.. events.Values], model.Upcasts, json),
                options.Consume ? subscriptions : [],
                sagas)
            { Model = model };
    }

    private static void CheckFeatures(
        TransportFeatures? features,
        IEnumerable<EventDescriptor> events,
        IEnumerable<SubscriptionPlan> subscriptions,
        List<string> problems)
    {
        if (features is { Ordered: false })
        {
            problems.AddRange(subscriptions.Where(plan => plan.Subscription.Ordered).Select(plan =>
                $"The subscription '{plan.Subscription.Name}' is ordered, and the backend {features.System} keeps no order. Remove "
                    + ".Ordered(), or choose a backend that keeps it (docs/guarantees.md)."));
        }

        if (features is { ReportsUnrouted: false })
        {
            problems.AddRange(events.Where(e => e.RequiresSubscriber).Select(e =>
                $"{e.Type} was declared with RequireSubscriber(), and the backend {features.System} does not report whether an event has "
                    + "a subscriber. Remove the call, or choose a backend that can (docs/guarantees.md)."));
        }
    }

    private static void CheckStores(BusRegistration model, BusStores? stores, List<string> problems)
    {
        foreach (var subscription in model.Subscriptions)
        {
            if ((subscription.Idempotency ?? model.Idempotency) is { } idempotency)
            {
                OptionsCheck.Check(
                    idempotency,
                    new IdempotencyOptionsValidator(),
                    $"Subscription '{subscription.Name}'.Idempotent",
                    problems);
                if (stores is { Processed: null })
                {
                    problems.Add($"The subscription '{subscription.Name}' is idempotent, and the store '{stores.Name}' does not remember "
                        + "what was handled. Add one that does: bus.StoreInSqlite(...), bus.StoreInRedis(...), or bus.StoreInMemory() "
                        + "for one that forgets.");
                }
            }

            foreach (var guard in subscription.Guards)
            {
                OptionsCheck.Check(guard.Options, new OrderGuardOptionsValidator(), $"Subscription '{subscription.Name}'.Guard", problems);
                if (!subscription.Handlers.Exists(handler => guard.IsFor(handler.EventType)
                    || (handler.IsForMany && handler.EventType.IsAssignableFrom(guard.EventType))))
                {
                    problems.Add($"The subscription '{subscription.Name}' has a guard for {guard.EventType}, and no handler for it. Add "
                        + $".On<{guard.EventType.Name}, THandler>(), or remove the guard.");
                }
            }
        }
    }

    /// <summary>
    /// Rejects features that need a store with keys, when the failure store is not keyed (the queue of a broker).
    /// </summary>
    private static void CheckUnkeyed(BusRegistration model, EventBusOptions options, string store, List<string> problems)
    {
        const string Fix =
            "Add a store that does: bus.StoreInSqlite(...), bus.StoreInRedis(...), or bus.StoreInMemory() for one that forgets.";
        problems.AddRange(
            model.Subscriptions.Where(subscription => subscription.Ordered || subscription.Guards.Count > 0).Select(subscription =>
                $"The subscription '{subscription.Name}' is {(subscription.Ordered ? "ordered" : "guarded")}, and the store '{store}' "
                    + $"keeps nothing by key, so that a failed event could not hold back those behind it. {Fix}"));
        if (options.DeadLetterRetention is not null)
        {
            problems.Add($"{nameof(EventBusOptions)}.{nameof(EventBusOptions.DeadLetterRetention)} is set, and the store '{store}' "
                + $"removes nothing by its age. {Fix}");
        }
    }

    private static void CheckWebhooks(BusRegistration model, List<string> problems)
    {
        foreach (var (url, options) in model.Webhooks)
        {
            OptionsCheck.Check(options, new WebhookOptionsValidator(), null, problems);
            problems.AddRange(options.Problems(url));
        }
    }

    private static void CheckTransports(BusRegistration model, List<string> problems)
    {
        if (model.Transports.Count == 0)
        {
            problems.Add("No backend was chosen, so events cannot be delivered. Call bus.UseInMemory(), or the Use... method of another "
                + "backend's package.");
        }
        else if (model.Transports.Count > 1)
        {
            problems.Add($"Several backends were chosen ({string.Join(", ", model.Transports.Select(t => $"bus.{t.Call}"))}), and a bus "
                + "has one. Keep one of the calls, or make "
                + $"{(model.Key is null ? "a second bus with AddKeyedEventBus(...)" : $"another bus under a key other than '{model.Key}'")}.");
        }
    }

    private static void CheckKeys(BusRegistration model, List<string> problems)
    {
        // Health check names are case-insensitive.
        if (model.Others.FirstOrDefault(
            other => other.Key is not null && string.Equals(other.Key, model.Key, StringComparison.OrdinalIgnoreCase)) is { } alike)
        {
            problems.Add($"Two buses have keys that differ only in case, '{model.Key}' and '{alike.Key}', so that their health checks "
                + "would have one name. Give one of them another key.");
        }
    }

    /// <summary>
    /// Returns the name of the bus on the backend and in the stores: the service name, followed by a plus sign and the
    /// key if there is one. A service name never contains a plus sign. A key that is not a valid name has its invalid
    /// characters replaced, and its hash follows after a second plus sign.
    /// </summary>
    private static string NameOfBus(string serviceName, string? key) =>
        key is null ? serviceName
        : IsName(key, allowUpper: true) ? $"{serviceName}{KeyMark}{key}"
        : $"{serviceName}{KeyMark}{Allowed(key)}{KeyMark}{Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(key.AsSpan())))[..KeyHashLength]}";

    private static string NameOfService(EventBusOptions options, string? applicationName)
    {
        var name = options.ServiceName ?? (string.IsNullOrEmpty(applicationName) ? "app" : applicationName);
        if (IsName(name, allowUpper: true))
        {
            return name;
        }

        // This name comes from the host. The hash keeps two names apart that differ only in the replaced characters.
        return $"{Allowed(name)}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..HashLength]}";
    }

    private static string Allowed(string name) =>
        string.Concat(
            name.Take(MaxNameLength - HashLength - 1).Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '-'));

    private static Dictionary<Type, EventDescriptor> DescribeEvents(
        BusRegistration model,
        EventJson json,
        TransportFeatures? features,
        BusStores? stores,
        List<string> problems)
    {
        var events = new Dictionary<Type, EventDescriptor>();
        var names = new Dictionary<(string, int), Type>();
        foreach (var e in model.Events)
        {
            if (e.Type.IsAbstract)
            {
                problems.Add($"{e.Type} is {KindOf(e.Type)}, and no event is of that type itself, so its declarations would apply to no "
                    + "event. Declare the types that are published: bus.Publishes<TEvent>(), bus.Event<TEvent>(), bus.Upcast<TOld, "
                    + "TNew>(...), WaitFor<TReply>(...).");
                continue;
            }

            if (EventRegistry.Describe(e, json, out var problem) is not { } descriptor)
            {
                problems.Add(problem!);
                continue;
            }

            events.Add(e.Type, descriptor);
            if (!names.TryAdd((descriptor.Name, descriptor.Version), e.Type))
            {
                problems.Add($"Both {names[(descriptor.Name, descriptor.Version)]} and {e.Type} are '{descriptor.Name}' in version "
                    + $"{descriptor.Version}. Give one of them another name or version with [EventName].");
            }

            // The in-memory backend serializes nothing, so an application without JSON may use it. But if a JSON
            // context is given, it must be complete.
            if (descriptor.Json is null && (model.JsonContexts.Count > 0 || features?.Serializes != false || stores is { Durable: true }))
            {
                problems.Add(model.JsonContexts.Count > 0
                    ? $"No JSON context given to bus.UseJson(...) knows {e.Type}, so the event could not be written or read. Add "
                        + $"[JsonSerializable(typeof({e.Type.Name}))] to one of them."
                    : $"The event type {e.Type} cannot be written as JSON: reflection-based JSON is off or cannot describe it. Declare a "
                        + $"JsonSerializerContext with [JsonSerializable(typeof({e.Type.Name}))], and call "
                        + "bus.UseJson(YourContext.Default).");
            }
        }

        return events;
    }

    private static void CheckUpcasts(BusRegistration model, Dictionary<Type, EventDescriptor> events, List<string> problems)
    {
        var from = new HashSet<Type>();
        foreach (var upcast in model.Upcasts)
        {
            if (!from.Add(upcast.From))
            {
                problems.Add($"There are several upcasts from {upcast.From}. Keep one bus.Upcast from each version, best to the next one.");
            }

            if (events.TryGetValue(upcast.From, out var old)
                && events.TryGetValue(upcast.To, out var next)
                && (old.Name != next.Name || old.Version >= next.Version))
            {
                problems.Add($"The upcast from {upcast.From} ('{old.Name}' version {old.Version}) to {upcast.To} ('{next.Name}' version "
                    + $"{next.Version}) does not lead to a higher version of the same event. Correct their [EventName(..., Version = n)].");
            }
        }
    }

    private static List<SubscriptionPlan> PlanSubscriptions(
        BusRegistration model,
        EventBusOptions options,
        Dictionary<Type, EventDescriptor> events,
        List<string> problems)
    {
        var plans = new List<SubscriptionPlan>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var subscription in model.Subscriptions)
        {
            var before = problems.Count;
            CheckSubscription(subscription, names, problems);
            OptionsCheck.Check(subscription.Options, new SubscriptionOptionsValidator(), $"Subscription '{subscription.Name}'", problems);
            var settings = SubscriptionSettings.Merge(options, subscription);
            var handlers = subscription.Handlers.Exists(handler => handler.IsForMany)
                ? HandlersOf(subscription, model, events, problems)
                : subscription.Handlers;
            if (problems.Count == before && handlers.All(handler => events.ContainsKey(handler.EventType)))
            {
                IEnumerable<string> patterns = subscription.AnyPattern is { } any
                    ? [any]
                    : handlers.Select(handler => events[handler.EventType].Name).Distinct(StringComparer.Ordinal);
                plans.Add(new SubscriptionPlan(
                    subscription,
                    handlers,
                    settings,
                    new Subscription(subscription.Name, [.. patterns.Select(EventPattern.Parse)])
                    {
                        Ordered = subscription.Ordered,
                        Concurrency = settings.Concurrency,
                    }));
            }
        }

        foreach (var (name, configured) in options.Subscriptions)
        {
            OptionsCheck.Check(
                configured,
                new SubscriptionOptionsValidator(),
                $"{nameof(EventBusOptions)}.{nameof(options.Subscriptions)}['{name}']",
                problems);
        }

        foreach (var unknown in options.Subscriptions.Keys.Where(name => !names.Contains(name)))
        {
            problems.Add($"The configuration has settings for a subscription '{unknown}', which is not registered. The registered ones: "
                + $"{(names.Count == 0 ? "none" : string.Join(", ", names))}.");
        }

        return plans;
    }

    /// <summary>
    /// Replaces each handler for an interface or an abstract class by one handler for every known event type that is
    /// assignable to it. A handler for the type itself has priority, and each type has exactly one handler.
    /// </summary>
    private static List<HandlerRegistration> HandlersOf(
        SubscriptionRegistration subscription,
        BusRegistration model,
        Dictionary<Type, EventDescriptor> events,
        List<string> problems)
    {
        var handlers = subscription.Handlers.Where(handler => !handler.IsForMany).ToList();
        var own = handlers.Select(handler => handler.EventType).ToHashSet();
        var asked = new Dictionary<Type, Type>();
        foreach (var many in subscription.Handlers.Where(handler => handler.IsForMany))
        {
            var known = events.Keys.Where(many.EventType.IsAssignableFrom).ToList();
            if (known.Count == 0)
            {
                problems.Add($"The subscription '{subscription.Name}' handles {many.EventType}, {KindOf(many.EventType)}, and no event "
                    + "type known to this bus is assignable to it, so that no event could ever match. Declare the types with "
                    + "bus.Publishes<TEvent>(), or subscribe to them by themselves.");
            }

            foreach (var type in known.Where(type => !own.Contains(type) && !IsCarriedInto(many.EventType, type, model.Upcasts)))
            {
                if (asked.TryAdd(type, many.EventType))
                {
                    handlers.Add(many with { EventType = type });
                }
                else if (asked[type] != many.EventType)
                {
                    problems.Add($"The subscription '{subscription.Name}' has two handlers for {type}: that for {asked[type]} and that "
                        + $"for {many.EventType}. Handle {type} by itself there, or make two subscriptions.");
                }
            }
        }

        return handlers;
    }

    /// <summary>
    /// Returns true if an old event version is upcast to a type that is also assignable to <paramref name="many"/>: the
    /// handler then receives the newer version.
    /// </summary>
    private static bool IsCarriedInto(Type many, Type old, List<UpcastRegistration> upcasts)
    {
        // Bounded by the number of upcasts, because the upcasts may form a cycle.
        var type = old;
        for (var i = 0; i < upcasts.Count && upcasts.Find(upcast => upcast.From == type) is { } next; i++)
        {
            type = next.To;
            if (many.IsAssignableFrom(type))
            {
                return true;
            }
        }

        return false;
    }

    private static string KindOf(Type type) => type.IsInterface ? "an interface" : "an abstract class";

    private static void CheckSubscription(SubscriptionRegistration subscription, HashSet<string> names, List<string> problems)
    {
        if (!IsName(subscription.Name, allowUpper: false))
        {
            problems.Add($"The subscription name '{subscription.Name}' is invalid: 1 to 100 lower-case letters, digits, hyphens, "
                + "underscores and dots are allowed.");
        }

        if (!names.Add(subscription.Name))
        {
            problems.Add($"Two subscriptions are named '{subscription.Name}', so they would share one queue and each get half of the "
                + "events. Give one of them another name.");
        }

        if (subscription.AnyPattern is { } pattern)
        {
            if (EventPattern.Problem(pattern) is { } problem)
            {
                problems.Add($"{problem} It belongs to the subscription '{subscription.Name}'.");
            }
            else if (!pattern.AsSpan().ContainsAny('.', '#'))
            {
                problems.Add($"The pattern '{pattern}' of the subscription '{subscription.Name}' has one word, and every event name has "
                    + $"two or more, so that none could ever match. Write '{pattern}.*' for two words, or "
                    + $"'{(pattern == "*" ? "#" : $"{pattern}.#")}' for any number.");
            }

            if (subscription.Handlers.Count > 0)
            {
                problems.Add($"The wildcard subscription '{subscription.Name}' has typed handlers too. Make two subscriptions.");
            }
        }
        else if (subscription.Handlers.Count == 0)
        {
            problems.Add($"The subscription '{subscription.Name}' handles nothing. Add .On<TEvent, THandler>() to it.");
        }

        foreach (var twice in subscription.Handlers.GroupBy(handler => handler.EventType).Where(group => group.Count() > 1))
        {
            problems.Add($"The subscription '{subscription.Name}' has several handlers for {twice.Key}. Make one subscription for each, "
                + "so that each is retried alone.");
        }
    }

    private static bool IsName(string name, bool allowUpper) =>
        name.Length is > 0 and <= MaxNameLength && name.All(c => char.IsAsciiLetterLower(c)
            || char.IsAsciiDigit(c)
            || c is '-' or '_' or '.'
            || (allowUpper && char.IsAsciiLetterUpper(c)));
}
