using System.Collections.Concurrent;

namespace EventBus;

/// <summary>
/// Holds the callers in this process that wait until a saga has ended or needs attention. Thread-safe.
/// </summary>
internal sealed class SagaWaiters
{
    // By the saga's id: the task of its waiting callers, and their number.
    private readonly ConcurrentDictionary<string, (TaskCompletionSource Ended, int Count)> waiting = new(StringComparer.Ordinal);

    /// <summary>Signals that a saga has ended or needs attention.</summary>
    public void Signal(string id)
    {
        if (waiting.TryRemove(id, out var current))
        {
            current.Ended.TrySetResult();
        }
    }

    /// <summary>
    /// Registers a caller; its task completes at the next signal for the saga. Dispose the result when the caller no
    /// longer waits.
    /// </summary>
    public Waiter Wait(string id) => new(this, id, waiting.AddOrUpdate(
        id,
        static _ => (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), 1),
        static (_, current) => (current.Ended, current.Count + 1)).Ended.Task);

    private void Leave(string id, Task ended)
    {
        // Repeated if another caller comes or leaves at the same time. After a signal, there is nothing to remove.
        while (waiting.TryGetValue(id, out var current) && current.Ended.Task == ended)
        {
            var isLast = current.Count == 1;
            var hasLeft = isLast
                ? waiting.TryRemove(KeyValuePair.Create(id, current))
                : waiting.TryUpdate(id, (current.Ended, current.Count - 1), current);
            if (hasLeft)
            {
                return;
            }
        }
    }

    public readonly struct Waiter(SagaWaiters owner, string id, Task ended) : IDisposable
    {
        public Task Ended => ended;

        public void Dispose() => owner.Leave(id, ended);
    }
}
