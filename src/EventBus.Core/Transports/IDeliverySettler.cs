namespace EventBus.Transports;

/// <summary>
/// Settles the deliveries of one receiver. Thread-safe. An unreachable backend is not an error here: the event stays
/// unsettled and is redelivered.
/// </summary>
public interface IDeliverySettler
{
    /// <summary>Acknowledges a delivery.</summary>
    /// <param name="delivery">The delivery.</param>
    ValueTask AckAsync(in Delivery delivery);

    /// <summary>Releases a delivery: it is redelivered as soon as possible.</summary>
    /// <remarks>
    /// In an ordered subscription no later event of its key overtakes it. If the backend can only deliver again from a
    /// position on, the other unsettled deliveries of the subscription are lost, and are redelivered too.
    /// </remarks>
    /// <param name="delivery">The delivery.</param>
    ValueTask ReleaseAsync(in Delivery delivery);
}
