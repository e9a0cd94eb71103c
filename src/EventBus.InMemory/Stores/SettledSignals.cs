using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Signals the end of claims to the deliveries that wait for it, by the key of the event. Not thread-safe.
/// </summary>
internal sealed class SettledSignals
{
    private readonly Dictionary<ProcessedKey, TaskCompletionSource> signals = [];

    /// <summary>Returns a task that completes at the next signal for a key.</summary>
    public Task Wait(in ProcessedKey key)
    {
        if (!signals.TryGetValue(key, out var settled))
        {
            settled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            signals.Add(key, settled);
        }

        return settled.Task;
    }

    /// <summary>Signals that the claim of a key has ended.</summary>
    public void Signal(in ProcessedKey key)
    {
        if (signals.Count > 0 && signals.Remove(key, out var settled))
        {
            settled.SetResult();
        }
    }
}
