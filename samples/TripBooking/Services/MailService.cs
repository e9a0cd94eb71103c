namespace TripBooking;

public sealed class MailService(OutsideWorld world, TimeProvider time, Timeline timeline)
    : RemoteService("confirmation", world, time, timeline)
{
    public Task SendAsync(string trip, string key, CancellationToken cancellationToken) => DoAsync(trip, key, "sent", cancellationToken);
}
