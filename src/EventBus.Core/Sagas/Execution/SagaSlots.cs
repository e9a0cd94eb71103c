using System.Collections.Concurrent;

namespace EventBus;

/// <summary>Limits the number of sagas that this instance processes at once. Thread-safe.</summary>
internal sealed class SagaSlots(int concurrency, IdleSignal idle)
{
    // The sagas that have a slot, by id. The task of each completes when its slot is freed.
    private readonly ConcurrentDictionary<string, TaskCompletionSource> running = new(StringComparer.Ordinal);

    /// <summary>The number of sagas that have a slot.</summary>
    public int Count => running.Count;

    /// <summary>The number of free slots.</summary>
    public int Free => concurrency - running.Count;

    public bool IsEmpty => running.IsEmpty;

    /// <summary>
    /// Reserves a slot for a saga; false if the saga has one already. Does not check the limit: the caller checks
    /// <see cref="Free"/>.
    /// </summary>
    public bool TryReserve(string id) => running.TryAdd(id, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>Frees the slot of a saga.</summary>
    public void Release(string id)
    {
        if (running.TryRemove(id, out var ended))
        {
            ended.SetResult();
        }

        idle.Set();
    }

    /// <summary>Waits until all sagas have freed their slots.</summary>
    public async Task WhenEmptyAsync()
    {
        while (!running.IsEmpty)
        {
            await Task.WhenAll(running.Values.Select(ended => ended.Task));
        }
    }
}
