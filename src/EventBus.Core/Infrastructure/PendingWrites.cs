namespace EventBus;

/// <summary>
/// Tracks the held writes: writes that a store has not accepted yet, and that their callers repeat. Lets other callers
/// wait until there are none. Thread-safe.
/// </summary>
internal sealed class PendingWrites
{
    private readonly Lock gate = new();
    private readonly List<string> reasons = [];
    private TaskCompletionSource? free;
    private volatile bool isHeld;

    /// <summary>True if at least one write is held.</summary>
    public bool IsHeld => isHeld;

    /// <summary>The reason of the oldest held write; null for none.</summary>
    public string? Reason
    {
        get
        {
            lock (gate)
            {
                return reasons.FirstOrDefault();
            }
        }
    }

    /// <summary>Adds a held write.</summary>
    public void Enter(string reason)
    {
        lock (gate)
        {
            reasons.Add(reason);
            isHeld = true;
        }
    }

    /// <summary>Removes one held write that was added with this reason.</summary>
    public void Leave(string reason)
    {
        lock (gate)
        {
            reasons.Remove(reason);
            if (reasons.Count == 0)
            {
                isHeld = false;
                free?.TrySetResult();
                free = null;
            }
        }
    }

    /// <summary>Completes when no write is held.</summary>
    public Task WhenFreeAsync()
    {
        if (!isHeld)
        {
            return Task.CompletedTask;
        }

        lock (gate)
        {
            return isHeld
                ? (free ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task
                : Task.CompletedTask;
        }
    }
}
