namespace EventBus.Conformance;

/// <summary>Records items in order, and can wait until enough of them are recorded. Thread-safe.</summary>
internal sealed class Ledger<T>
{
    private readonly Lock gate = new();
    private readonly List<T> items = [];
    private readonly List<(Func<IReadOnlyList<T>, bool> Condition, TaskCompletionSource Reached)> waiting = [];

    public IReadOnlyList<T> Items
    {
        get
        {
            lock (gate)
            {
                return [.. items];
            }
        }
    }

    public void Add(T item)
    {
        lock (gate)
        {
            items.Add(item);
            for (var i = waiting.Count - 1; i >= 0; i--)
            {
                if (waiting[i].Condition(items))
                {
                    waiting[i].Reached.TrySetResult();
                    waiting.RemoveAt(i);
                }
            }
        }
    }

    /// <summary>Adds an item. Can be used as a complete handler.</summary>
    public Task NoteAsync(T item)
    {
        Add(item);
        return Task.CompletedTask;
    }

    /// <summary>Waits until there are at least <paramref name="count"/> items.</summary>
    public Task ReachAsync(int count, string what, TimeSpan? timeout = null) =>
        UntilAsync(list => list.Count >= count, $"{count} times: {what}", timeout);

    /// <summary>Waits until the items satisfy a condition, which is evaluated at each new item.</summary>
    public Task UntilAsync(Func<IReadOnlyList<T>, bool> condition, string what, TimeSpan? timeout = null)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
        {
            if (condition(items))
            {
                return Task.CompletedTask;
            }

            waiting.Add((condition, reached));
        }

        return Expect.WithinAsync(
            reached.Task,
            what,
            timeout,
            () => $"{Items.Count} entries so far, the last: {string.Join(", ", Items.TakeLast(5))}");
    }
}
