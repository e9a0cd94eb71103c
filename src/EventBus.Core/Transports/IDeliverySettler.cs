namespace EventBus.Transports;

/// <summary>Settles the deliveries of one receiver. Thread-safe. Failing to reach the backend is no error here: the event stays unsettled there and comes again.</summary>
public interface IDeliverySettler
{
    /// <summary>Acknowledges a delivery.</summary>
    /// <param name="delivery">The delivery.</param>
    ValueTask AckAsync(in Delivery delivery);

    /// <summary>Gives a delivery back: it comes again as soon as possible.</summary>
    /// <remarks>In an ordered subscription no later event of the log overtakes it. Where the backend can only go back as a whole, the other deliveries of the subscription are lost with it, and come again too.</remarks>
    /// <param name="delivery">The delivery.</param>
    ValueTask ReleaseAsync(in Delivery delivery);
}
