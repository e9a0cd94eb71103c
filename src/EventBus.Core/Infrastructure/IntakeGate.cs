namespace EventBus;

/// <summary>
/// Holds back deliveries while there is a reason: a store does not accept writes, or an operator has paused a
/// subscription. Thread-safe.
/// </summary>
/// <param name="outer">
/// The gate of the bus, which also holds back the deliveries of this subscription. Null for none.
/// </param>
internal sealed class IntakeGate(IntakeGate? outer = null)
{
    private readonly Lock sync = new();
    private readonly List<string> reasons = [];
    private TaskCompletionSource? opened;
    private volatile bool isClosed;
    private volatile bool isStopping;

    /// <summary>True if this gate itself is closed. The outer gate is not considered.</summary>
    public bool IsClosed => isClosed;

    /// <summary>True if the bus stops while the gate is closed: deliveries that have not begun are released.</summary>
    public bool IsOver => isStopping && isClosed;

    /// <summary>The oldest reason for which this gate is closed; null if it is open.</summary>
    public string? Reason
    {
        get
        {
            lock (sync)
            {
                return reasons.FirstOrDefault();
            }
        }
    }

    private bool HoldsBack => (isClosed && !isStopping) || outer is { HoldsBack: true };

    /// <summary>Adds a reason. The gate stays closed until each reason was removed.</summary>
    public void Close(string reason)
    {
        lock (sync)
        {
            reasons.Add(reason);
            isClosed = true;
        }
    }

    /// <summary>Removes a reason. The gate opens if it was the last one.</summary>
    public void Open(string reason)
    {
        lock (sync)
        {
            reasons.Remove(reason);
            if (reasons.Count == 0)
            {
                OpenCompletely();
            }
        }
    }

    /// <summary>Closes the gate if it is open.</summary>
    /// <returns>False if it was closed already, or the bus stops.</returns>
    public bool TryClose(string reason)
    {
        lock (sync)
        {
            if (isClosed || isStopping)
            {
                return false;
            }

            reasons.Add(reason);
            isClosed = true;
            return true;
        }
    }

    /// <summary>Opens the gate if it is closed, and removes all reasons.</summary>
    /// <returns>False if it was open already, or the bus stops.</returns>
    public bool TryOpen()
    {
        lock (sync)
        {
            if (!isClosed || isStopping)
            {
                return false;
            }

            OpenCompletely();
            return true;
        }
    }

    /// <summary>Ends all waits because the bus stops.</summary>
    /// <param name="letThrough">
    /// True to let the queued events through as if the gate were open, because they exist nowhere else.
    /// </param>
    public void Stop(bool letThrough)
    {
        lock (sync)
        {
            isStopping = true;
            if (letThrough)
            {
                OpenCompletely();
            }

            opened?.TrySetResult();
        }
    }

    /// <summary>Completes when this gate and the outer one are open, or when the bus stops.</summary>
    public Task WhenOpenAsync() => HoldsBack ? WaitAsync() : Task.CompletedTask;

    private async Task WaitAsync()
    {
        while (HoldsBack)
        {
            await WhenThisIsOpenAsync();
            await (outer?.WhenOpenAsync() ?? Task.CompletedTask);
        }
    }

    private Task WhenThisIsOpenAsync()
    {
        lock (sync)
        {
            if (!isClosed || isStopping)
            {
                return Task.CompletedTask;
            }

            opened ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return opened.Task;
        }
    }

    /// <summary>Removes all reasons. Call it under the lock.</summary>
    private void OpenCompletely()
    {
        reasons.Clear();
        isClosed = false;
        opened?.TrySetResult();
        opened = null;
    }
}
