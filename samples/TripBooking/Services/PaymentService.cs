namespace TripBooking;

public sealed class PaymentService(OutsideWorld world, TimeProvider time, Timeline timeline)
    : RemoteService("payment", world, time, timeline)
{
    private const decimal Limit = 1_000m;

    /// <exception cref="PaymentDeclinedException">The price is above the card's limit. Nothing was charged.</exception>
    public Task<string> ChargeAsync(string trip, decimal price, string key, CancellationToken cancellationToken)
    {
        if (price > Limit)
        {
            Say("declined", key);
            throw new PaymentDeclinedException("the price is above the limit of the card");
        }

        return DoAsync(trip, key, "charged", cancellationToken);
    }

    public Task RefundAsync(string trip, string key, CancellationToken cancellationToken) =>
        UndoAsync(trip, key, "refunded", cancellationToken);
}

/// <summary>Thrown if the bank declines: nothing was charged, and a retry cannot help.</summary>
public sealed class PaymentDeclinedException(string message) : Exception(message);
