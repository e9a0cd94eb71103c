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
    /// True if the handler has succeeded for good, even if sending the events that it published has failed.
    /// </summary>
    public bool HandlerSucceeded { get => Status == DeliveryStatus.Handled || field; private init; }

    public static DeliveryOutcome Failed(Exception exception) =>
        new(DeliveryStatus.Failed, new Threw(exception is EffectException { InnerException: { } cause } ? cause : exception));

    public static DeliveryOutcome Rejected(Rejection rejection) => new(DeliveryStatus.Rejected, new Rejected(rejection));

    public static DeliveryOutcome Deferred(Deferred wait) => new(DeliveryStatus.Deferred, wait);

    /// <summary>Gets the outcome of a delivery that ended with an exception.</summary>
    /// <param name="exception">The exception.</param>
    /// <param name="abort">Cancelled when the bus aborts.</param>
    public static DeliveryOutcome Of(Exception exception, CancellationToken abort)
    {
        if (abort.IsCancellationRequested)
        {
            return Interrupted;
        }

        // A store refused to read what the delivery needs: no retry would change that.
        return exception is StoreRefusedException refused
            ? new(DeliveryStatus.Rejected, EventBus.Rejected.Unstorable(refused))
            : Failed(exception);
    }

    /// <summary>
    /// Creates the outcome of a delivery whose handler has succeeded and whose further processing has failed.
    /// </summary>
    public DeliveryOutcome ThenFailed(Exception exception) => Failed(exception) with { HandlerSucceeded = HandlerSucceeded };

    /// <summary>
    /// Returns this outcome with the sequence number of the event in its failure; null if no guard uses numbers.
    /// </summary>
    public DeliveryOutcome At(long? position) =>
        Failure is { } failure ? this with { Failure = failure with { Position = position } } : this;
}
