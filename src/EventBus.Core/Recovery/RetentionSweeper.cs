using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Removes entries from the stores when their retention has ended, in small batches.</summary>
internal sealed class RetentionSweeper(BusStores? stores, TimeSpan? deadLetterRetention, BusServices services)
{
    private const int BatchSize = 500;

    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    // Attempts are counted only for events that are redelivered, which happens within hours.
    private static readonly TimeSpan AttemptsRetention = TimeSpan.FromDays(7);

    // The retention of the order state of a key, after its last settled event.
    private static readonly TimeSpan OrderRetention = TimeSpan.FromDays(90);

    private readonly TimeProvider time = services.StoreTime;
    private readonly ILogger log = services.Log;

    public async Task RunAsync(CancellationToken stop)
    {
        while (true)
        {
            await Task.Delay(Period, time, stop);
            await SweepAsync("sweeper of failures", SweepFailuresAsync, stop);
            await SweepAsync("sweeper of sagas", SweepSagasAsync, stop);
            await SweepAsync("sweeper of handled events", SweepProcessedAsync, stop);
        }
    }

    /// <summary>Sweeps one store. A failure does not affect the other stores.</summary>
    private async Task SweepAsync(string name, Func<CancellationToken, Task> sweep, CancellationToken stop)
    {
        try
        {
            await sweep(stop);
            log.Working(name);
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            log.Failing(name, exception, logger => logger.LoopFailed(name, exception));
        }
    }

    private async Task SweepFailuresAsync(CancellationToken stop)
    {
        if (stores?.Failures is not KeyedFailureStore failures)
        {
            return;
        }

        var now = time.GetUtcNow();
        await failures.SweepAsync(now - AttemptsRetention, now - OrderRetention, BatchSize, stop);
        if (deadLetterRetention is not { } retention)
        {
            return;
        }

        int expired;
        do
        {
            expired = await failures.DeadLetters.SweepAsync(now - retention, BatchSize, stop);
            if (expired > 0)
            {
                log.Expired(expired);
            }
        }
        while (expired >= BatchSize);
    }

    private async Task SweepSagasAsync(CancellationToken stop)
    {
        if (stores?.Sagas is not { } sagas)
        {
            return;
        }

        int expired;
        do
        {
            expired = await sagas.SweepAsync(time.GetUtcNow(), BatchSize, stop);
        }
        while (expired >= BatchSize);
    }

    private async Task SweepProcessedAsync(CancellationToken stop)
    {
        if (stores?.Processed is not { } processed)
        {
            return;
        }

        int expired;
        do
        {
            expired = await processed.SweepAsync(time.GetUtcNow(), BatchSize, stop);
        }
        while (expired >= BatchSize);
    }
}
