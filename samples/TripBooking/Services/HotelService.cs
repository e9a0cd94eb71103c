namespace TripBooking;

public sealed class HotelService(OutsideWorld world, TimeProvider time, Timeline timeline) : RemoteService("hotel", world, time, timeline)
{
    private volatile bool losesAnswers;

    /// <summary>True if rooms are booked and the answers are lost.</summary>
    public bool LosesAnswers
    {
        get => losesAnswers;
        set => losesAnswers = value;
    }

    public async Task<string> BookAsync(string trip, string key, CancellationToken cancellationToken)
    {
        var code = await DoAsync(trip, key, "booked", cancellationToken);
        if (losesAnswers)
        {
            Say("no answer comes", key);
            await NeverAsync(cancellationToken);
        }

        return code;
    }

    public Task CancelAsync(string trip, string key, CancellationToken cancellationToken) =>
        UndoAsync(trip, key, "cancelled", cancellationToken);
}
