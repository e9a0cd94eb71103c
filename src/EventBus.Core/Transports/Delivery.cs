namespace EventBus.Transports;

/// <summary>
/// Represents one event that is delivered to one subscription. It is settled once: acknowledged or released.
/// </summary>
/// <remarks>
/// Until a delivery is settled or lost, the transport reserves it for this instance and renews whatever the backend
/// requires. Settling a lost delivery does nothing. Copies of this value settle the same delivery.
/// </remarks>
/// <param name="envelope">The event.</param>
/// <param name="settler">The object that settles the delivery.</param>
/// <param name="token">
/// A value that identifies the delivery for the settler, for instance a delivery tag. Not needed if each delivery has
/// its own settler.
/// </param>
/// <param name="earlierDeliveries">
/// The number of earlier deliveries, as far as the backend knows. A hint only: brokers also count deliveries that were
/// only buffered.
/// </param>
/// <param name="lost">Cancelled when this instance no longer owns the event.</param>
public readonly struct Delivery(
    Envelope envelope,
    IDeliverySettler settler,
    long token = 0,
    int earlierDeliveries = 0,
    CancellationToken lost = default)
{
    /// <summary>The event.</summary>
    public Envelope Envelope { get; } = envelope;

    /// <summary>The value that identifies the delivery for the settler.</summary>
    public long Token { get; } = token;

    /// <summary>The number of earlier deliveries, as a hint.</summary>
    public int EarlierDeliveries { get; } = earlierDeliveries;

    /// <summary>
    /// Cancelled when this instance no longer owns the event (connection lost, lease taken over, partition revoked).
    /// Another instance may be handling the event.
    /// </summary>
    public CancellationToken Lost { get; } = lost;

    /// <summary>Acknowledges the event: it was handled, or its failure was durably stored.</summary>
    public ValueTask AckAsync() => settler.AckAsync(this);

    /// <summary>Releases the event for redelivery to this or another instance.</summary>
    public ValueTask ReleaseAsync() => settler.ReleaseAsync(this);
}
