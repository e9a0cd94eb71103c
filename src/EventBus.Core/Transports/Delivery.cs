namespace EventBus.Transports;

/// <summary>One event handed to one subscription, to be settled once: acknowledged or released.</summary>
/// <remarks>
/// The transport keeps what is unsettled with this instance, renewing whatever the backend asks for, until it is settled or lost.
/// Settling a delivery that was lost does nothing. Copies settle the same delivery.
/// </remarks>
/// <param name="envelope">The event.</param>
/// <param name="settler">Who settles it.</param>
/// <param name="token">The settler's own mark, for instance a delivery tag. A settler of its own for each delivery needs none.</param>
/// <param name="earlierDeliveries">How often it was handed out before, as far as the backend knows. A hint only: brokers also count what was merely buffered.</param>
/// <param name="lost">Cancelled when this instance no longer owns the event.</param>
public readonly struct Delivery(Envelope envelope, IDeliverySettler settler, long token = 0, int earlierDeliveries = 0, CancellationToken lost = default)
{
    /// <summary>The event.</summary>
    public Envelope Envelope { get; } = envelope;

    /// <summary>The settler's own mark.</summary>
    public long Token { get; } = token;

    /// <summary>How often it was handed out before: a hint.</summary>
    public int EarlierDeliveries { get; } = earlierDeliveries;

    /// <summary>Cancelled when this instance no longer owns the event (connection lost, lease taken over, partition revoked): another may be handling it.</summary>
    public CancellationToken Lost { get; } = lost;

    /// <summary>The event is done with: it was handled, or its failure was durably recorded.</summary>
    public ValueTask AckAsync() => settler.AckAsync(this);

    /// <summary>The event goes back, to be delivered again, here or elsewhere.</summary>
    public ValueTask ReleaseAsync() => settler.ReleaseAsync(this);
}
