namespace EventBus;

/// <summary>How often events were started that are not kept as entries. Not thread-safe.</summary>
internal sealed class StartCounts(int capacity)
{
    private readonly Dictionary<string, (int Starts, DateTimeOffset At)> counts = new(StringComparer.Ordinal);

    public int Count(string id, DateTimeOffset now)
    {
        if (!counts.TryGetValue(id, out var count))
        {
            if (counts.Count >= capacity)
            {
                throw new InvalidOperationException($"The in-memory store counts the starts of {capacity:N0} events already. Raise InMemoryOptions.StoreCapacity, or use a durable store.");
            }

            // The first start was not counted.
            count.Starts = 1;
        }

        counts[id] = (count.Starts + 1, now);
        return count.Starts + 1;
    }

    public void Forget(string id) => counts.Remove(id);

    public void Sweep(DateTimeOffset before, int max)
    {
        foreach (var id in counts.Where(count => count.Value.At < before).Select(count => count.Key).Take(max).ToList())
        {
            counts.Remove(id);
        }
    }
}
