namespace EventBus;

/// <summary>Knows when no publish is under way. Thread-safe.</summary>
internal sealed class RedisPubSubPublishCounter
{
    private readonly Lock gate = new();
    private int underWay;
    private TaskCompletionSource? done;

    /// <summary>A publish begins; it ends with the disposal.</summary>
    public Entered Enter()
    {
        lock (gate)
        {
            underWay++;
        }

        return new Entered(this);
    }

    /// <summary>Completes at a moment at which none is under way.</summary>
    public Task WhenDoneAsync()
    {
        lock (gate)
        {
            return underWay == 0 ? Task.CompletedTask : (done ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    private void Leave()
    {
        lock (gate)
        {
            if (--underWay == 0)
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
