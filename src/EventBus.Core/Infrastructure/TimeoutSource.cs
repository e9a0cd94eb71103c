namespace EventBus;

/// <summary>A token source that is cancelled after a timeout, or when another token is cancelled.</summary>
internal sealed class TimeoutSource : CancellationTokenSource
{
    private readonly CancellationTokenRegistration link;

    public TimeoutSource(TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
        : base(timeout, time) =>
        link = cancellationToken.UnsafeRegister(static source => ((TimeoutSource)source!).Cancel(), this);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            // Waits for a callback that runs on another thread, which must not find a disposed source.
            link.Dispose();
        }

        base.Dispose(disposing);
    }
}
