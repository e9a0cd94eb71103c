namespace EventBus;

/// <summary>Writes that a store does not take, and what waits until it does. Thread-safe.</summary>
internal sealed class PendingWrites
{
    private readonly Lock gate = new();
    private readonly List<string> reasons = [];
    private TaskCompletionSource? free;
    private volatile bool isHeld;

    /// <summary>At least one write is held.</summary>
    public bool IsHeld => isHeld;

    /// <summary>Why the oldest of them is held; null for none.</summary>
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

    /// <summary>A write is held from now on.</summary>
    public void Enter(string reason)
    {
        lock (gate)
        {
            reasons.Add(reason);
            isHeld = true;
        }
    }

    /// <summary>A write that was held for this reason is not held any more.</summary>
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
            return isHeld ? (free ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task : Task.CompletedTask;
        }
    }
}
