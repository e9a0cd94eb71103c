namespace EventBus;

/// <summary>Counts publish calls in progress, and completes a task when there are none. Thread-safe.</summary>
internal sealed class RedisPubSubPublishCounter
{
    private readonly Lock gate = new();
    private int inProgress;
    private TaskCompletionSource? idle;

    /// <summary>Counts a publish call until the returned value is disposed.</summary>
    public PublishCall Enter()
    {
        lock (gate)
        {
            inProgress++;
        }

        return new PublishCall(this);
    }

    /// <summary>Completes as soon as no publish call is in progress; at once if there is none now.</summary>
    public Task WhenIdleAsync()
    {
        lock (gate)
        {
            if (inProgress == 0)
            {
                return Task.CompletedTask;
            }

            idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return idle.Task;
        }
    }

    private void Leave()
    {
        lock (gate)
        {
            inProgress--;
            if (inProgress == 0)
            {
                idle?.SetResult();
                idle = null;
            }
        }
    }

    public readonly struct PublishCall(RedisPubSubPublishCounter owner) : IDisposable
    {
        public void Dispose() => owner.Leave();
    }
}
