using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Runs an activity, and restarts it with backoff and jitter whenever it ends. One attempt runs at a time.
/// </summary>
/// <param name="time">The clock for the delays.</param>
/// <param name="activity">The name of the activity in the log.</param>
/// <param name="log">The log. Only the first failure of an outage is logged in full.</param>
/// <param name="ended">Logs a failure in full.</param>
internal sealed class RabbitMqSupervisor(TimeProvider time, string activity, ILogger log, Action<ILogger, TimeSpan, Exception> ended)
{
    private const int FirstDelay = 50;
    private const int MaxDelay = 2_000;

    private static readonly TimeSpan Stable = TimeSpan.FromSeconds(3);

    private readonly Random random = new();
    private readonly TaskCompletionSource failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int failures;
    private long? livesSince;

    /// <summary>The last error; null while the activity works.</summary>
    public Exception? LastError { get; private set; }

    /// <summary>Completes at the first error, which <see cref="LastError"/> then contains.</summary>
    public Task Failed => failed.Task;

    /// <summary>
    /// Reports that the activity works. After 3 seconds of work the next delay is short again. An activity that fails
    /// right after each start keeps its backoff.
    /// </summary>
    public void Succeeded()
    {
        (livesSince, LastError) = (time.GetTimestamp(), null);
        log.Working(activity);
    }

    /// <summary>Runs the activity until it is stopped.</summary>
    /// <param name="live">The activity. Throws when it has ended.</param>
    /// <param name="stop">Stops the loop.</param>
    public async Task RunAsync(Func<CancellationToken, Task> live, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await live(stop);
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                failures = livesSince is { } since && time.GetElapsedTime(since) >= Stable ? 0 : failures;
                (livesSince, LastError) = (null, exception);
                failed.TrySetResult();
                var longest = Math.Min(MaxDelay, FirstDelay << Math.Min(failures++, 6));
                var delay = TimeSpan.FromMilliseconds((longest / 2) + random.Next((longest / 2) + 1));

                // Started before the failure is logged, so that a listener of the log may advance the clock.
                var waiting = Task.Delay(delay, time, stop);
                try
                {
                    log.Failing(activity, exception, full => ended(full, delay, exception));
                }
                catch (Exception)
                {
                    // An exception of a logger does not end the activity.
                }

                await waiting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            }
            catch (Exception)
            {
                return;
            }
        }
    }
}
