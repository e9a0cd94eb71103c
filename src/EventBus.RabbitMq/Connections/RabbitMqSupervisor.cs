using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Keeps one thing alive: runs it until it ends, waits with backoff and jitter, and runs it again. One attempt at a time.</summary>
/// <param name="time">Measures the waits.</param>
/// <param name="activity">What is kept alive, as the log names it.</param>
/// <param name="log">Where its ends are logged: the first of an outage in full.</param>
/// <param name="ended">Logs one in full.</param>
internal sealed class RabbitMqSupervisor(TimeProvider time, string activity, ILogger log, Action<ILogger, TimeSpan, Exception> ended)
{
    private const int FirstDelay = 50;
    private const int MaxDelay = 2_000;

    private static readonly TimeSpan Stable = TimeSpan.FromSeconds(3);

    private readonly Random random = new();
    private readonly TaskCompletionSource failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int failures;
    private long? livesSince;

    /// <summary>The last error; null while all is well.</summary>
    public Exception? LastError { get; private set; }

    /// <summary>Completes with the first error, which is in <see cref="LastError"/> then.</summary>
    public Task Failed => failed.Task;

    /// <summary>It lives. Once it has done so for a few seconds, the next delay is a short one: what dies right after each opening is not tried ever so often.</summary>
    public void Succeeded()
    {
        (livesSince, LastError) = (time.GetTimestamp(), null);
        log.Working(activity);
    }

    /// <param name="live">Throws when what it keeps alive has ended.</param>
    /// <param name="stop">Ends the loop.</param>
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

                // Begun before it is told of, so that who is told may move the clock.
                var waiting = Task.Delay(delay, time, stop);
                try
                {
                    log.Failing(activity, exception, full => ended(full, delay, exception));
                }
                catch (Exception)
                {
                    // A logger that throws does not end what is kept alive.
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
