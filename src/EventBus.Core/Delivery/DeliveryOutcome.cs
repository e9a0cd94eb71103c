using EventBus.Stores;

namespace EventBus;

/// <summary>The outcome of a delivery, which decides how it is settled.</summary>
/// <param name="Status">The kind of the outcome.</param>
/// <param name="Failure">The reason of a failed, rejected or deferred delivery; null otherwise.</param>
internal readonly record struct DeliveryOutcome(DeliveryStatus Status, Failure? Failure = null)
{
    public static DeliveryOutcome Handled => default;

    public static DeliveryOutcome Skipped => new(DeliveryStatus.Skipped);

    public static DeliveryOutcome Interrupted => new(DeliveryStatus.Interrupted);

    /// <summary>
    /// True if the handler has succeeded and is not called again, even if sending its follow-up events has failed.
    /// </summary>
    public bool HandlerSucceeded { get => Status == DeliveryStatus.Handled || field; private init; }

    /// <summary>Creates the outcome of a delivery that failed. The exception of an effect is unwrapped.</summary>
    public static DeliveryOutcome Failed(Exception exception)
    {
        var cause = exception is EffectException { InnerException: { } thrownByEffect } ? thrownByEffect : exception;
        return new DeliveryOutcome(DeliveryStatus.Failed, new Threw(cause));
    }

    public static DeliveryOutcome Rejected(Rejection rejection) => new(DeliveryStatus.Rejected, new Rejected(rejection));

    public static DeliveryOutcome Deferred(Deferred wait) => new(DeliveryStatus.Deferred, wait);

    public static DeliveryOutcome ClaimedElsewhere(ClaimedElsewhere wait) => new(DeliveryStatus.ClaimedElsewhere, wait);

    /// <summary>Gets the outcome of a delivery that ended with an exception.</summary>
    /// <param name="exception">The exception.</param>
    /// <param name="abort">Cancelled when the bus aborts.</param>
    public static DeliveryOutcome Of(Exception exception, CancellationToken abort)
    {
        if (abort.IsCancellationRequested)
        {
            return Interrupted;
        }

        // The store refuses to read or write what this delivery needs, and a retry would not change that.
        return exception is StoreRefusedException refused
            ? new(DeliveryStatus.Rejected, EventBus.Rejected.Unstorable(refused))
            : Failed(exception);
    }

    /// <summary>
    /// Creates the outcome of a delivery that was handled or skipped, and whose follow-up events could not be sent.
    /// Keeps <see cref="HandlerSucceeded"/>.
    /// </summary>
    public DeliveryOutcome WithFollowUpFailure(Exception exception) => Failed(exception) with { HandlerSucceeded = HandlerSucceeded };

    /// <summary>
    /// Returns this outcome with the event's sequence number in its failure; unchanged if there is no failure.
    /// </summary>
    /// <param name="position">The sequence number; null if no guard uses sequence numbers.</param>
    public DeliveryOutcome WithPosition(long? position) =>
        Failure is null ? this : this with { Failure = Failure with { Position = position } };
}
