using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Checks the forwards from and to a bus, and makes those ordered whose backend and store can keep the order.
/// </summary>
internal sealed class ForwardCheck(BusRegistration registration, List<string> problems)
{
    /// <summary>
    /// True if the bus forwards events or receives forwarded ones. Its events then need JSON, whatever its backend.
    /// </summary>
    public bool IsConcerned => ForwardsOf(registration).Any() || Incoming.Any();

    private IEnumerable<(BusRegistration From, SubscriptionRegistration Subscription)> Incoming =>
        from other in registration.Others
        from subscription in ForwardsOf(other)
        where subscription.Forward!.To == registration.Key
        select (other, subscription);

    /// <summary>Adds the errors to the problems.</summary>
    /// <param name="features">The backend of the bus; null if it has none.</param>
    /// <param name="stores">The stores of the bus; null for none.</param>
    /// <param name="consumes">True if this instance handles events.</param>
    public void Check(TransportFeatures? features, BusStores? stores, bool consumes)
    {
        foreach (var subscription in ForwardsOf(registration))
        {
            subscription.Ordered |= features is { Ordered: true } && stores?.Failures is KeyedFailureStore;
            CheckTarget(subscription);
        }

        if (features is { Durable: false, CountsWork: true })
        {
            CheckReceived(consumes);
        }
    }

    private static IEnumerable<SubscriptionRegistration> ForwardsOf(BusRegistration bus) =>
        bus.Subscriptions.Where(subscription => subscription.Forward is not null);

    private void CheckTarget(SubscriptionRegistration subscription)
    {
        var key = subscription.Forward!.To;
        if (key == registration.Key)
        {
            problems.Add($"'{subscription.Name}' forwards events to its own bus, where each of them would be forwarded again. Forward to "
                + "the key of another bus.");
        }
        else if (registration.Others.All(other => other.Key != key))
        {
            problems.Add($"'{subscription.Name}' forwards events to {ForwardRegistration.NameOf(key)}, which does not exist. "
                + (key is null ? "Add it with AddEventBus(...)." : AddBus(key)));
        }
        else if (EventPattern.Problem(subscription.Pattern!) is null)
        {
            CheckLoops(subscription, key, [subscription]);
        }
    }

    private string AddBus(string key)
    {
        var others = registration.Others.Select(other => other.Key).OfType<string>().DefaultIfEmpty("none");
        return $"Add it with AddKeyedEventBus(\"{key}\", ...), or correct the key; other buses are: {string.Join(", ", others)}.";
    }

    /// <summary>Follows the forwards from a bus, and reports each path that leads back to this bus.</summary>
    /// <param name="first">The forward with which the path begins.</param>
    /// <param name="at">The key of the bus that the path has reached.</param>
    /// <param name="path">The forwards of the path.</param>
    private void CheckLoops(SubscriptionRegistration first, string? at, IReadOnlyList<SubscriptionRegistration> path)
    {
        var bus = registration.Others.FirstOrDefault(other => other.Key == at);
        foreach (var next in bus is null ? [] : ForwardsOf(bus))
        {
            var isUsable = !path.Contains(next) && EventPattern.Problem(next.Pattern!) is null;
            IReadOnlyList<SubscriptionRegistration> longer = [.. path, next];
            if (!isUsable || !PatternOverlap.Exists(longer.Select(forward => forward.Pattern!)))
            {
                continue;
            }

            if (next.Forward!.To != registration.Key)
            {
                CheckLoops(first, next.Forward.To, longer);
                continue;
            }

            problems.Add($"{Capital(ForwardRegistration.NameOf(registration.Key))} and {ForwardRegistration.NameOf(at)} forward events to "
                + $"each other, by '{first.Name}' (pattern '{first.Pattern}') and '{next.Name}' (pattern '{next.Pattern}'): an event that "
                + "matches both would go round without end. Choose patterns that no event matches both of.");
        }
    }

    /// <summary>Rejects forwards to this bus in memory if nothing receives their events here.</summary>
    private void CheckReceived(bool consumes)
    {
        foreach (var (from, forward) in Incoming.Where(incoming => EventPattern.Problem(incoming.Subscription.Pattern!) is null))
        {
            if (!consumes || !registration.Subscriptions.SelectMany(NamesOf).Any(name => PatternOverlap.Exists([name, forward.Pattern!])))
            {
                problems.Add($"{Capital(ForwardRegistration.NameOf(from.Key))} forwards '{forward.Pattern}' to "
                    + $"{ForwardRegistration.NameOf(registration.Key)}, whose events stay in memory, and no subscription here matches "
                    + "them, so that each would be dropped. Subscribe to them, or choose a backend with a server.");
            }
        }
    }

    /// <summary>Returns the patterns or the event names of a subscription of this bus.</summary>
    private IEnumerable<string> NamesOf(SubscriptionRegistration subscription) => subscription.Pattern is { } pattern
        ? EventPattern.Problem(pattern) is null ? [pattern] : []
        : from handler in subscription.Handlers
          from declared in registration.Events
          where handler.EventType.IsAssignableFrom(declared.Type)
          select EventNameRules.NameOf(declared.Type);

    private static string Capital(string text) => $"{char.ToUpperInvariant(text[0])}{text[1..]}";
}
