using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>
/// Checks the JSON type information of everything that is written and read: events, the replies to sagas, and the
/// states of sagas.
/// </summary>
internal sealed class JsonContractCheck(BusRegistration registration, EventJson json, List<string> problems)
{
    private readonly List<LostJsonData> lost = [];
    private readonly HashSet<Type> reported = [];

    /// <summary>
    /// Adds an error for each type that the bus reads and that cannot be read. Returns the types whose data are lost.
    /// </summary>
    /// <param name="events">The events that the bus knows.</param>
    /// <param name="subscriptions">The subscriptions, whose events are read.</param>
    /// <param name="serializes">True if the backend or the stores keep events as bytes.</param>
    public IReadOnlyList<LostJsonData> Check(
        IEnumerable<EventDescriptor> events,
        IReadOnlyList<SubscriptionPlan> subscriptions,
        bool serializes)
    {
        // The bus's own events are known to be right. Replies to sagas and states are stored as bytes everywhere.
        var ofEvents = from descriptor in events
                       where descriptor.Json is not null && SagaJson.Of(descriptor.Type) is null
                       where serializes || Reads(descriptor, subscriptions, forSagas: true)
                       select (
                           Use: $"the event {descriptor.Name}",
                           Json: descriptor.Json!,
                           IsRead: Reads(descriptor, subscriptions, forSagas: false));
        var ofSagas = from saga in registration.Sagas
                      let state = json.Find(saga.StateType)
                      where state is not null
                      select (Use: $"the state of the saga {saga.Name}", Json: state, IsRead: true);

        // A type that is part of several events counts as read if one of them is read.
        var walk = new JsonContractWalk();
        foreach (var (use, info, isRead) in ofEvents.Concat(ofSagas).OrderByDescending(each => each.IsRead))
        {
            Check(walk, use, info, isRead);
        }

        return lost;
    }

    private static bool Reads(EventDescriptor descriptor, IReadOnlyList<SubscriptionPlan> subscriptions, bool forSagas) =>
        subscriptions.Any(plan => (plan.Registration.IsForSaga || !forSagas) && plan.Subscription.Matches(descriptor.Name));

    private void Check(JsonContractWalk walk, string use, JsonTypeInfo info, bool isRead)
    {
        foreach (var contract in walk.Walk(info))
        {
            List<string> members = [.. contract.Lost];
            if (contract.Unreadable?.TrimEnd('.') is { } reason)
            {
                var verb = contract.IsInvalid ? "written or read" : "read";
                var member = contract.Path.Length == 0 ? "" : $"its member {contract.Path} cannot be {verb}, because ";
                if (isRead || contract.IsInvalid)
                {
                    problems.Add($"The JSON of {use} ({info.Type}) cannot be {verb}: {member}{reason}.");
                }
                else
                {
                    members.Add($"{contract.Type} can be written but not read, because {reason}");
                }
            }

            if (members.Count > 0 && reported.Add(contract.Type))
            {
                var place = contract.Path.Length == 0 ? use : $"{use} ({contract.Path})";
                lost.Add(new LostJsonData(contract.Type, place, string.Join("; ", members)));
            }
        }
    }
}
