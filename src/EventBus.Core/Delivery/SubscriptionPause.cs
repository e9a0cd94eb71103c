namespace EventBus;

/// <summary>Lets an operator pause the intake of a subscription on this instance. Thread-safe.</summary>
internal sealed class SubscriptionPause
{
    private readonly Lock gate = new();
    private TaskCompletionSource? resumed;
    private volatile bool isPaused;
    private volatile bool stopping;

    public bool IsPaused => isPaused;

    /// <summary>True if the bus stops during a pause: deliveries that were taken and not begun are released.</summary>
    public bool IsOver => stopping && isPaused;

    /// <returns>False if it was paused already, or the bus stops.</returns>
    public bool TryPause()
    {
        lock (gate)
        {
            if (isPaused || stopping)
            {
                return false;
            }

            resumed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return isPaused = true;
        }
    }

    /// <returns>False if it was not paused.</returns>
    public bool TryResume()
    {
        lock (gate)
        {
            if (!isPaused || stopping)
            {
                return false;
            }

            isPaused = false;
            resumed!.SetResult();
            return true;
        }
    }

    /// <summary>Ends the wait because the bus stops.</summary>
    /// <param name="letThrough">
    /// True to let the queued events through as if there were no pause, because they exist nowhere else.
    /// </param>
    public void Stop(bool letThrough)
    {
        lock (gate)
        {
            stopping = true;
            isPaused &= !letThrough;
            resumed?.TrySetResult();
        }
    }

    /// <summary>Completes when the subscription is not paused, or when the bus stops.</summary>
    public Task WhenOpenAsync()
    {
        lock (gate)
        {
            return isPaused && !stopping ? resumed!.Task : Task.CompletedTask;
        }
    }
}
