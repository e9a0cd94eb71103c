namespace EventBus;

/// <summary>How often events were started that are not kept as entries. Not thread-safe.</summary>
internal sealed class StartCounts(StoreRoom room)
{
    private readonly Dictionary<string, (int Starts, DateTimeOffset At)> counts = new(StringComparer.Ordinal);

    public int Count(string id, DateTimeOffset now)
    {
        if (!counts.TryGetValue(id, out var count))
        {
            room.Take(SubscriptionOf(id));

            // The first start was not counted.
            count.Starts = 1;
        }

        counts[id] = (count.Starts + 1, now);
        return count.Starts + 1;
    }

    public void Forget(string id)
    {
        if (counts.Remove(id))
        {
            room.Give(SubscriptionOf(id));
        }
    }

    public void Sweep(DateTimeOffset before, int max)
    {
        foreach (var id in counts.Where(count => count.Value.At < before).Select(count => count.Key).Take(max).ToList())
        {
            Forget(id);
        }
    }

    /// <summary>The name before the tilde, which names hold none of.</summary>
    private static string SubscriptionOf(string id) => id[..id.IndexOf('~', StringComparison.Ordinal)];
}
