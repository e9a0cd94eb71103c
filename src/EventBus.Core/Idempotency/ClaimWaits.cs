namespace EventBus;

/// <summary>
/// Lets deliveries of one idempotent subscription wait for a claim that another process holds. Thread-safe.
/// </summary>
/// <remarks>
/// A delivery that waits frees its slot for other events. The number of those without a slot is limited: three for each
/// slot. Together with those in a slot they are as many as a backend delivers before it waits for an acknowledgement.
/// </remarks>
internal sealed class ClaimWaits(BusServices services)
{
    private const int WithoutSlotPerSlot = 3;

    private static readonly Backoff PollDelays = new(TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(1));

    private int withoutSlot;

    /// <summary>Waits until the claim is to be requested again.</summary>
    /// <param name="polls">The number of requests so far.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task WaitAsync(int polls, ConcurrencyLimiter slots, CancellationToken cancellationToken)
    {
        var wait = Task.Delay(PollDelays.After(polls), services.StoreTime, cancellationToken);
        try
        {
            var lends = Interlocked.Increment(ref withoutSlot) <= WithoutSlotPerSlot * slots.Limit;
            await (lends ? slots.WaitWithoutAsync(wait, services.Abort) : wait);
        }
        finally
        {
            Interlocked.Decrement(ref withoutSlot);
        }
    }
}
