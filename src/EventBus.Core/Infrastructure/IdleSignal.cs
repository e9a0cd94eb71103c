namespace EventBus;

/// <summary>
/// Lets callers wait until the bus is idle, at the price of one read for each settled event while nobody waits.
/// </summary>
internal sealed class IdleSignal(TimeProvider time)
{
    // A safety net for the one thing that nobody signals: an event settled by a transport on its own account.
    private static readonly TimeSpan Recheck = TimeSpan.FromMilliseconds(250);

    private readonly Lock gate = new();
    private volatile TaskCompletionSource? changed;

    /// <summary>
    /// The bus may be idle now: a subscription has nothing more to take, or something that ran apart has ended.
    /// </summary>
    public void Set()
    {
        if (changed is { } waiting)
        {
            waiting.TrySetResult();
        }
    }

    public async Task WaitAsync(Func<Task<bool>> isIdle, CancellationToken cancellationToken)
    {
        while (true)
        {
            // Armed before the look: what is settled after it is not missed.
            var signal = Arm();
            if (await isIdle().Observed().WaitAsync(cancellationToken))
            {
                return;
            }

            await Task.WhenAny(signal, Task.Delay(Recheck, time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private Task Arm()
    {
        lock (gate)
        {
            if (changed is not { Task.IsCompleted: false })
            {
                changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            return changed.Task;
        }
    }
}
