using EventBus.Transports;

namespace EventBus;

/// <summary>Lets the handler of a subscription run once for each event.</summary>
internal abstract class OnceStep
{
    /// <summary>Whether events can be claimed and completed at once.</summary>
    public abstract bool IsQuick { get; }

    /// <summary>The quick way's first half, where it <see cref="IsQuick"/>: claims an event. False: go the long way, which finds out why not.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="fence">The number of the claim.</param>
    public abstract bool TryClaim(Envelope envelope, out long fence);

    /// <summary>The quick way's other half: the handler has succeeded and published nothing.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="fence">The number of the claim.</param>
    /// <param name="startedAt">When the handler began, as a timestamp.</param>
    public abstract void Complete(Envelope envelope, long fence, long startedAt);

    /// <summary>The end of the quick way for a handler that takes its time, fails or publishes.</summary>
    /// <param name="context">The delivery.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="fence">The number of the claim.</param>
    /// <param name="outcome">Waits for the handler, and calls what it is given once that has succeeded.</param>
    public abstract Task<Failure?> FinishAsync(EventContext context, Envelope envelope, long fence, Func<Commit, Task<Failure?>> outcome);

    /// <summary>The number of an event's claim, for a run that went the quick way; 0 for none.</summary>
    /// <param name="envelope">The event.</param>
    public abstract long FenceOf(Envelope envelope);

    /// <summary>The long way: runs the handler, unless the event was handled before.</summary>
    /// <param name="context">The delivery.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="handle">Runs the handler, and calls what it is given in the scope of the delivery once the handler has succeeded.</param>
    /// <param name="deadline">Makes the token of a wait, or of a handler, that begins now.</param>
    /// <param name="lost">Cancelled when the event is another's.</param>
    public abstract Task<Failure?> RunAsync(EventContext context, Envelope envelope, Func<CancellationToken, Commit, Task<Failure?>> handle, Func<CancellationToken> deadline, CancellationToken lost);
}
