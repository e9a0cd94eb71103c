using EventBus.Stores;

namespace EventBus;

/// <summary>Counts the attempts of events that are not stored as entries. Not thread-safe.</summary>
internal sealed class AttemptCounts(StoreCapacity limit)
{
    private readonly Dictionary<string, (AttemptCount Count, DateTimeOffset At)> counts = new(StringComparer.Ordinal);

    public AttemptCount Count(string id, AttemptCount added, DateTimeOffset now)
    {
        if (!counts.TryGetValue(id, out var kept))
        {
            // The first attempt was not counted.
            kept.Count = new AttemptCount(1, 0);
            if (added.Attempts == 0)
            {
                return kept.Count;
            }

            limit.Reserve(SubscriptionOf(id));
        }

        kept.Count = new AttemptCount(kept.Count.Attempts + added.Attempts, kept.Count.Concurrent + added.Concurrent);
        if (added != default)
        {
            counts[id] = (kept.Count, now);
        }

        return kept.Count;
    }

    public void Forget(string id)
    {
        if (counts.Remove(id))
        {
            limit.Release(SubscriptionOf(id));
        }
    }

    public void Sweep(DateTimeOffset before, int max)
    {
        foreach (var id in counts.Where(count => count.Value.At < before).Select(count => count.Key).Take(max).ToList())
        {
            Forget(id);
        }
    }

    /// <summary>Returns the part before the tilde. Subscription names contain no tilde.</summary>
    private static string SubscriptionOf(string id) => id[..id.IndexOf('~', StringComparison.Ordinal)];
}
