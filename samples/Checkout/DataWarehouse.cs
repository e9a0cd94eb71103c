using System.Collections.Concurrent;

namespace Checkout;

/// <summary>Counts events by name. Stands in for a warehouse that stores each event under its id.</summary>
public sealed class DataWarehouse
{
    private readonly ConcurrentDictionary<string, int> counts = new();

    public void Add(string eventName) => counts.AddOrUpdate(eventName, 1, static (_, count) => count + 1);

    public int CountOf(string eventName) => counts.GetValueOrDefault(eventName);
}
