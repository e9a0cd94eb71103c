using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Runs a step repeatedly: at the time that the step returned, at a wake signal, or after the poll interval.
/// </summary>
/// <remarks>
/// The step does the work that is due, and returns the time of its next run; null when it knows none. With an infinite
/// poll interval and no next time, the step runs only when woken, or once an hour.
/// </remarks>
internal sealed class ScheduledLoop(
    string name,
    Func<CancellationToken, Task<DateTimeOffset?>> step,
    TimeSpan pollInterval,
    WakeSignal wake,
    BusServices services)
{
    private static readonly TimeSpan DelayAfterFailure = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    // The tolerated lateness of a wait.
    private static readonly TimeSpan MaxLateness = TimeSpan.FromMilliseconds(20);

    private readonly TimeProvider time = services.StoreTime;
    private readonly ILogger log = services.Log;

    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            DateTimeOffset? next;
            try
            {
                next = await step(stop);
                log.Working(name);

                // The step may have removed the last due entry, after its event was handled.
                services.Idle.Set();
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                log.Failing(name, exception, full => full.LoopFailed(name, exception));
                next = time.GetUtcNow() + DelayAfterFailure;
            }

            await WaitUntilAsync(next, stop);
        }
    }

    private async Task WaitUntilAsync(DateTimeOffset? next, CancellationToken stop)
    {
        var now = time.GetUtcNow();
        var wait = next is { } due ? due - now : Timeout.InfiniteTimeSpan;
        wait = TimeMath.Shorter(TimeMath.Shorter(wait, pollInterval), LongestWait);
        if (wait <= TimeSpan.Zero)
        {
            return;
        }

        using var timer = stop.WithTimeout(wait, time);

        // The clock may have been set forward since it was read. The timer would then fire too late, so the step runs
        // again and returns a new time.
        if (time.GetUtcNow() - now > MaxLateness)
        {
            return;
        }

        try
        {
            await wake.WaitAsync(timer.Token);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            // The wait is over.
        }
    }
}
