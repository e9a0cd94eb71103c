using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Checks that the backend and the stores can do what the events and subscriptions of a registration ask for.
/// </summary>
internal sealed class BackendCheck(TransportFeatures? features, BusStores? stores, List<string> problems)
{
    private const string AddKeyedStore =
        "Add a store that does: bus.StoreInSqlite(...), bus.StoreInRedis(...), or bus.StoreInMemory() for one in memory only.";

    /// <summary>Adds the errors to the problems.</summary>
    /// <param name="registration">The registration.</param>
    /// <param name="options">The options of the bus.</param>
    /// <param name="events">The event types.</param>
    /// <param name="consumed">The subscriptions that this instance consumes.</param>
    public void Check(
        BusRegistration registration,
        EventBusOptions options,
        IEnumerable<EventDescriptor> events,
        IReadOnlyList<SubscriptionPlan> consumed)
    {
        CheckFeatures(events, consumed);
        if (!options.Consume)
        {
            return;
        }

        foreach (var subscription in registration.Subscriptions)
        {
            CheckIdempotency(subscription, subscription.Idempotency ?? registration.Idempotency);
            CheckGuards(subscription);
        }

        if (stores?.Failures is not (null or KeyedFailureStore))
        {
            CheckFeaturesThatNeedKeys(registration, options, stores.Name);
        }

        if (consumed.Count > 0 && features is not null && stores?.Failures is null)
        {
            problems.Add($"No store keeps failed events, and the backend {features.System} does not keep them either, so they would be "
                + "lost. Add a store, for instance bus.StoreInMemory() for one in memory only.");
        }
    }

    private void CheckFeatures(IEnumerable<EventDescriptor> events, IReadOnlyList<SubscriptionPlan> consumed)
    {
        if (features is { Ordered: false, System: var backend })
        {
            problems.AddRange(consumed.Where(plan => plan.Subscription.Ordered).Select(plan =>
                $"The subscription '{plan.Subscription.Name}' is ordered, and the backend {backend} keeps no order. Remove .Ordered(), "
                    + "or choose a backend that keeps it (docs/guarantees.md)."));
        }

        if (features is { ReportsUnrouted: false, System: var system })
        {
            problems.AddRange(events.Where(e => e.RequiresSubscriber).Select(e =>
                $"{e.Type} was declared with RequireSubscriber(), and the backend {system} does not report whether an event has a "
                    + "subscriber. Remove the call, or choose a backend that can (docs/guarantees.md)."));
        }
    }

    private void CheckIdempotency(SubscriptionRegistration subscription, IdempotencyOptions? idempotency)
    {
        if (idempotency is null)
        {
            return;
        }

        OptionsCheck.Check(idempotency, new IdempotencyOptionsValidator(), $"Subscription '{subscription.Name}'.Idempotent", problems);
        if (stores is { Processed: null })
        {
            problems.Add($"The subscription '{subscription.Name}' is idempotent, and the store '{stores.Name}' does not remember what was "
                + "handled. Add one that does: bus.StoreInSqlite(...), bus.StoreInRedis(...), or bus.StoreInMemory() for one in "
                + "memory only.");
        }
    }

    private void CheckGuards(SubscriptionRegistration subscription)
    {
        foreach (var guard in subscription.Guards)
        {
            OptionsCheck.Check(guard.Options, new OrderGuardOptionsValidator(), $"Subscription '{subscription.Name}'.Guard", problems);
            var hasHandler = subscription.Handlers.Exists(handler => guard.IsFor(handler.EventType)
                || (handler.IsForBaseType && handler.EventType.IsAssignableFrom(guard.EventType)));
            if (!hasHandler)
            {
                problems.Add($"The subscription '{subscription.Name}' has a guard for {guard.EventType}, and no handler for it. Add "
                    + $".On<{guard.EventType.Name}, THandler>(), or remove the guard.");
            }
        }
    }

    /// <summary>
    /// Rejects features that need a store with keys, when the failure store is not keyed (the queue of a broker).
    /// </summary>
    private void CheckFeaturesThatNeedKeys(BusRegistration registration, EventBusOptions options, string store)
    {
        problems.AddRange(registration.Subscriptions.Where(subscription => subscription.Ordered || subscription.Guards.Count > 0).Select(
            subscription =>
                $"The subscription '{subscription.Name}' is {(subscription.Ordered ? "ordered" : "guarded")}, and the store '{store}' "
                    + $"keeps nothing by key, so that a failed event could not hold back those behind it. {AddKeyedStore}"));
        if (options.DeadLetterRetention is not null)
        {
            problems.Add($"{nameof(EventBusOptions)}.{nameof(EventBusOptions.DeadLetterRetention)} is set, and the store '{store}' "
                + $"removes nothing by its age. {AddKeyedStore}");
        }
    }
}
