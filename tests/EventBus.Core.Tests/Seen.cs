namespace EventBus;

/// <summary>Records what handlers received.</summary>
public sealed class Seen
{
    private readonly List<string> items = [];

    public IReadOnlyList<string> Items
    {
        get
        {
            lock (items)
            {
                return [.. items];
            }
        }
    }

    public void Add(string item)
    {
        lock (items)
        {
            items.Add(item);
        }
    }
}
