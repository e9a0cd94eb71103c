namespace EventBus;

/// <summary>Counts publish calls in progress, and completes a task when there are none. Thread-safe.</summary>
internal sealed class RedisPubSubPublishCounter
{
    private readonly Lock gate = new();
    private int inProgress;
    private TaskCompletionSource? done;

    /// <summary>Counts a publish call until the returned value is disposed.</summary>
    public Entered Enter()
    {
        lock (gate)
        {
            inProgress++;
        }

        return new Entered(this);
    }

    /// <summary>Completes at a moment at which no publish call is in progress.</summary>
    public Task WhenDoneAsync()
    {
        lock (gate)
        {
            return inProgress == 0
                ? Task.CompletedTask
                : (done ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    private void Leave()
    {
        lock (gate)
        {
            inProgress--;
            if (inProgress == 0)
            {
                done?.SetResult();
                done = null;
            }
        }
    }

    public readonly struct Entered(RedisPubSubPublishCounter owner) : IDisposable
    {
        public void Dispose() => owner.Leave();
    }
}
