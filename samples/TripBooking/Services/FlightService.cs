namespace TripBooking;

public sealed class FlightService(OutsideWorld world, TimeProvider time, Timeline timeline) : RemoteService("flight", world, time, timeline)
{
    private volatile bool cannotCancel;

    /// <summary>True if bookings succeed and cancellations fail.</summary>
    public bool CannotCancel
    {
        get => cannotCancel;
        set => cannotCancel = value;
    }

    public Task<string> BookAsync(string trip, string key, CancellationToken cancellationToken) =>
        DoAsync(trip, key, "booked", cancellationToken);

    public Task CancelAsync(string trip, string key, CancellationToken cancellationToken)
    {
        if (cannotCancel)
        {
            Say("connection refused", key);
            throw new HttpRequestException("connection refused");
        }

        return UndoAsync(trip, key, "cancelled", cancellationToken);
    }
}
