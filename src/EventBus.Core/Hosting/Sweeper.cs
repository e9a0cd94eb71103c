using EventBus.Stores;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Removes from the stores what nobody needs any more, a little at a time.</summary>
internal sealed class Sweeper(BusStores? stores, TimeSpan? deadLetterRetention, TimeProvider time, ILogger log)
{
    private const int Batch = 500;

    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    // An event that was handed out and not settled comes again within hours; a sequence may rest for a quarter of a year.
    private static readonly TimeSpan StartsRetention = TimeSpan.FromDays(7);
    private static readonly TimeSpan OrderRetention = TimeSpan.FromDays(90);

    public async Task RunAsync(CancellationToken stop)
    {
        while (true)
        {
            await Task.Delay(Period, time, stop);
            try
            {
                await SweepAsync(stop);
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                log.LoopFailed("sweeper", exception);
            }
        }
    }

    private async Task SweepAsync(CancellationToken stop)
    {
        var now = time.GetUtcNow();
        if (stores?.Failures is { } failures)
        {
            var limits = new SweepLimits(now - deadLetterRetention, now - StartsRetention, now - OrderRetention);
            int expired;
            do
            {
                expired = await failures.SweepAsync(limits, Batch, stop);
                if (expired > 0)
                {
                    log.Expired(expired);
                }
            }
            while (expired >= Batch);
        }

        while (stores?.Sagas is { } sagas && await sagas.SweepAsync(now, Batch, stop) >= Batch)
        {
        }

        while (stores?.Processed is { } processed && await processed.SweepAsync(now, Batch, stop) >= Batch)
        {
        }
    }
}
