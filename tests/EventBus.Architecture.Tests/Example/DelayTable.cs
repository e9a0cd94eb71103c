namespace EventBus.Architecture.Tests.Example;

/// <summary>The database of the example: one transaction at a time.</summary>
internal sealed class DelayTable
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Dictionary<string, DelayRow>> applications = new(StringComparer.Ordinal);

    /// <summary>Reads and changes the rows of one application, by the ids of their events.</summary>
    public T InTransaction<T>(string application, Func<Dictionary<string, DelayRow>, T> change)
    {
        lock (gate)
        {
            if (!applications.TryGetValue(application, out var rows))
            {
                applications.Add(application, rows = new Dictionary<string, DelayRow>(StringComparer.Ordinal));
            }

            return change(rows);
        }
    }
}
