using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Lets callers wait until the bus is idle. Without waiters, it costs one read for each settled event.
/// </summary>
internal sealed class IdleSignal(TimeProvider time)
{
    // The bus is checked this often without a signal, because an event that the transport settles by itself causes
    // none.
    private static readonly TimeSpan Recheck = TimeSpan.FromMilliseconds(250);

    private readonly Lock gate = new();
    private volatile TaskCompletionSource? changed;

    /// <summary>
    /// Signals that the bus may be idle: a subscription has no more events to take, or work outside the subscriptions
    /// has ended.
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
            // The signal is created before the check, so that an event that is settled after the check is not missed.
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
