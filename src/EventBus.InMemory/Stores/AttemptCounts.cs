using EventBus.Stores;

namespace EventBus;

/// <summary>Counts the attempts of events that are not stored as entries, by their ids. Not thread-safe.</summary>
internal sealed class AttemptCounts(StoreCapacity limit)
{
    private readonly Dictionary<string, (AttemptCount Count, DateTimeOffset ChangedAt)> counts = new(StringComparer.Ordinal);

    /// <summary>Adds attempts to the count of an event, and returns the new count.</summary>
    /// <param name="id">The id of an entry of the event: its subscription, a tilde and its event id.</param>
    /// <param name="added">The numbers to add. Without an attempt, an event that is not counted yet stays so.</param>
    /// <param name="now">The current time.</param>
    public AttemptCount Add(string id, AttemptCount added, DateTimeOffset now)
    {
        // The first attempt of an event is not counted when it begins.
        var previous = new AttemptCount(1, 0);
        if (counts.TryGetValue(id, out var stored))
        {
            previous = stored.Count;
        }
        else if (added.Attempts == 0)
        {
            return previous;
        }
        else
        {
            limit.Reserve(SubscriptionOf(id));
        }

        var count = new AttemptCount(previous.Attempts + added.Attempts, previous.Concurrent + added.Concurrent);
        if (added != default)
        {
            counts[id] = (count, now);
        }

        return count;
    }

    public void Forget(string id)
    {
        if (counts.Remove(id))
        {
            limit.Release(SubscriptionOf(id));
        }
    }

    /// <summary>Removes the counts that were last changed before a time.</summary>
    public void Sweep(DateTimeOffset before, int max)
    {
        var old = counts.Where(count => count.Value.ChangedAt < before).Select(count => count.Key).Take(max).ToList();
        foreach (var id in old)
        {
            Forget(id);
        }
    }

    /// <summary>Returns the part before the tilde. Subscription names contain no tilde.</summary>
    private static string SubscriptionOf(string id) => id[..id.IndexOf('~', StringComparison.Ordinal)];
}
