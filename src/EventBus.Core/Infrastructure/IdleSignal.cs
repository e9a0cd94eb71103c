using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Lets callers wait until the bus is idle. Without waiters, it costs one read for each settled event.
/// </summary>
internal sealed class IdleSignal
{
    // The bus is checked this often without a signal, because an event that the transport settles by itself causes
    // none. By the system clock: the caller really waits, even if the bus runs on a fake clock.
    private static readonly TimeSpan RecheckInterval = TimeSpan.FromMilliseconds(250);

    private readonly Lock sync = new();
    private volatile TaskCompletionSource? signal;

    /// <summary>
    /// Signals that the bus may be idle: a subscription has no more events to take, or work outside the subscriptions
    /// has ended.
    /// </summary>
    public void Set()
    {
        signal?.TrySetResult();
    }

    /// <summary>Waits until a check finds the bus idle.</summary>
    public async Task WaitAsync(Func<Task<bool>> isIdle, CancellationToken cancellationToken)
    {
        while (true)
        {
            // The signal is created before the check, so that an event that is settled after the check is not missed.
            var nextSignal = Arm();
            if (await isIdle().Observed().WaitAsync(cancellationToken))
            {
                return;
            }

            await Task.WhenAny(nextSignal, Task.Delay(RecheckInterval, TimeProvider.System, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private Task Arm()
    {
        lock (sync)
        {
            if (signal is null || signal.Task.IsCompleted)
            {
                signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            return signal.Task;
        }
    }
}
