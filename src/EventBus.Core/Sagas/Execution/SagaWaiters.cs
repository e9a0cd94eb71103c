using System.Collections.Concurrent;

namespace EventBus;

/// <summary>Tracks the callers in this process that wait for the end of a saga. Thread-safe.</summary>
internal sealed class SagaWaiters
{
    private readonly ConcurrentDictionary<string, (TaskCompletionSource Ended, int Count)> waiting = new(StringComparer.Ordinal);

    /// <summary>Signals that a saga has ended or needs attention.</summary>
    public void Signal(string id)
    {
        if (waiting.TryRemove(id, out var waiter))
        {
            waiter.Ended.TrySetResult();
        }
    }

    /// <summary>
    /// Registers a caller; its task completes at the next signal for the saga. Dispose the result when the caller no
    /// longer waits.
    /// </summary>
    public Waiter Wait(string id) => new(this, id, waiting.AddOrUpdate(
        id,
        static _ => (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), 1),
        static (_, known) => (known.Ended, known.Count + 1)).Ended.Task);

    private void Leave(string id, Task ended)
    {
        while (waiting.TryGetValue(id, out var waiter) && waiter.Ended.Task == ended)
        {
            var known = new KeyValuePair<string, (TaskCompletionSource, int)>(id, waiter);
            if (waiter.Count == 1 ? waiting.TryRemove(known) : waiting.TryUpdate(id, (waiter.Ended, waiter.Count - 1), waiter))
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
