namespace EventBus.Conformance;

/// <summary>Records items in order, and can wait until the items satisfy a condition. Thread-safe.</summary>
internal sealed class Ledger<T>
{
    private readonly Lock gate = new();
    private readonly List<T> items = [];
    private readonly List<(Func<IReadOnlyList<T>, bool> Condition, TaskCompletionSource Satisfied)> waiters = [];

    /// <summary>A copy of the items that are recorded so far.</summary>
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
            for (var i = waiters.Count - 1; i >= 0; i--)
            {
                if (waiters[i].Condition(items))
                {
                    waiters[i].Satisfied.TrySetResult();
                    waiters.RemoveAt(i);
                }
            }
        }
    }

    /// <summary>
    /// Adds an item and returns a completed task, so that the call can be the whole body of a handler.
    /// </summary>
    public Task RecordAsync(T item)
    {
        Add(item);
        return Task.CompletedTask;
    }

    /// <summary>Adds an item and throws, so that the call can be the whole body of a handler that fails.</summary>
    public Task RecordAndFailAsync(T item)
    {
        Add(item);
        throw new InvalidOperationException("The handler fails on purpose.");
    }

    /// <summary>Waits until there are at least <paramref name="count"/> items.</summary>
    /// <param name="count">The number of items.</param>
    /// <param name="what">The description of what adds one item, for the failure message.</param>
    /// <param name="timeout">The timeout; null for the default.</param>
    public Task WaitForCountAsync(int count, string what, TimeSpan? timeout = null) =>
        WaitUntilAsync(list => list.Count >= count, $"{count} times: {what}", timeout);

    /// <summary>Waits until the items satisfy a condition, which is evaluated at each new item.</summary>
    /// <param name="condition">The condition. It runs under the lock of the ledger.</param>
    /// <param name="what">The description of what must happen, for the failure message.</param>
    /// <param name="timeout">The timeout; null for the default.</param>
    public Task WaitUntilAsync(Func<IReadOnlyList<T>, bool> condition, string what, TimeSpan? timeout = null)
    {
        var satisfied = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
        {
            if (condition(items))
            {
                return Task.CompletedTask;
            }

            waiters.Add((condition, satisfied));
        }

        return Expect.WithinAsync(
            satisfied.Task,
            what,
            timeout,
            () => $"{Items.Count} entries so far, the last: {string.Join(", ", Items.TakeLast(5))}");
    }
}
