using System.Threading.Channels;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Runs a step whenever something is due: at the time that the step names, when woken, or after the poll interval.</summary>
/// <remarks>The step does what is due now and says when to come again, null when it knows of nothing. An infinite poll interval means: never without being told.</remarks>
internal sealed class ScheduledLoop(string name, Func<CancellationToken, Task<DateTimeOffset?>> step, TimeSpan pollInterval, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan Backoff = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    // By less than that a wait may end too late.
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(20);

    private readonly Channel<bool> wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Something may have become due.</summary>
    public void Wake() => wake.Writer.TryWrite(true);

    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            DateTimeOffset? next;
            try
            {
                next = await step(stop);
                log.Working(name);
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                log.Failing(name, exception, full => full.LoopFailed(name, exception));
                next = time.GetUtcNow() + Backoff;
            }

            await WaitUntilAsync(next, stop);
        }
    }

    private async Task WaitUntilAsync(DateTimeOffset? next, CancellationToken stop)
    {
        var now = time.GetUtcNow();
        var wait = next is { } due ? due - now : Timeout.InfiniteTimeSpan;
        wait = Shorter(Shorter(wait, pollInterval), LongestWait);
        if (wait <= TimeSpan.Zero)
        {
            return;
        }

        using var timer = new CancellationTokenSource(wait, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, stop);

        // By as much as the clock has moved between the look at it and the setting of the timer, it would ring too late: the step says again when to come.
        if (time.GetUtcNow() - now > Slack)
        {
            return;
        }

        try
        {
            await wake.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (timer.IsCancellationRequested)
        {
            // Time is up.
        }
    }

    private static TimeSpan Shorter(TimeSpan first, TimeSpan second) =>
        first == Timeout.InfiniteTimeSpan ? second : second == Timeout.InfiniteTimeSpan || first < second ? first : second;
}
