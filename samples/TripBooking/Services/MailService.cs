namespace TripBooking;

public sealed class MailService(OutsideWorld world, TimeProvider time, Timeline timeline)
    : RemoteService("confirmation", world, time, timeline)
{
    private volatile bool refusesAddresses;

    /// <summary>True if the mail server refuses every address.</summary>
    public bool RefusesAddresses
    {
        get => refusesAddresses;
        set => refusesAddresses = value;
    }

    /// <summary>Sends the confirmation. Returns false if the address is refused: nothing was sent.</summary>
    public async Task<bool> TrySendAsync(string trip, string key, CancellationToken cancellationToken)
    {
        if (refusesAddresses)
        {
            Say("address refused", key);
            return false;
        }

        await DoAsync(trip, key, "sent", cancellationToken);
        return true;
    }
}
