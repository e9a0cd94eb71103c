using EventBus.Transports;

namespace EventBus;

/// <summary>Ensures that a subscription handles each event once.</summary>
internal abstract class OnceStep
{
    /// <summary>True if events can be claimed and completed synchronously (the fast path).</summary>
    public abstract bool IsQuick { get; }

    /// <summary>
    /// Claims an event on the fast path, if <see cref="IsQuick"/>. False: use <see cref="RunAsync"/>, which finds out
    /// the reason.
    /// </summary>
    /// <param name="envelope">The event.</param>
    /// <param name="fence">The fencing token of the claim.</param>
    public abstract bool TryClaim(Envelope envelope, out long fence);

    /// <summary>Completes an event on the fast path: its handler has succeeded and published nothing.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="fence">The fencing token of the claim.</param>
    /// <param name="startedAt">The time at which the handler began, as a timestamp.</param>
    public abstract void Complete(Envelope envelope, long fence, long startedAt);

    /// <summary>Ends the fast path for a handler that does not complete synchronously, fails or publishes.</summary>
    /// <param name="context">The context of the delivery.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="fence">The fencing token of the claim.</param>
    /// <param name="outcome">Waits for the handler, and runs the given commit after it has succeeded.</param>
    public abstract Task<Failure?> FinishAsync(DeliveryContext context, Envelope envelope, long fence, Func<Commit, Task<Failure?>> outcome);

    /// <summary>Gets the fencing token of an event that was claimed on the fast path; 0 for none.</summary>
    /// <param name="envelope">The event.</param>
    public abstract long FenceOf(Envelope envelope);

    /// <summary>Runs the handler, unless the event was handled before.</summary>
    /// <param name="context">The context of the delivery.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="handle">
    /// Runs the handler, and after its success runs the given commit within the scope of the delivery.
    /// </param>
    /// <param name="deadline">Creates the token of a wait, or of a handler, that begins now.</param>
    /// <param name="lost">Cancelled when another instance has taken over the event.</param>
    public abstract Task<Failure?> RunAsync(DeliveryContext context, Envelope envelope, Func<CancellationToken, Commit, Task<Failure?>> handle, Func<CancellationToken> deadline, CancellationToken lost);
}
