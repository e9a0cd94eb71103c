using System.Diagnostics;
using System.Runtime.InteropServices;

namespace EventBus.Load;

/// <summary>
/// Publishes at a rate, independently of earlier publishes: a slow one delays no other, and the latency of a late one
/// counts from the time when it was due.
/// </summary>
internal static partial class Pace
{
    // A sleep may last this much too long; the rest is spun.
    private static readonly long Slack = Stopwatch.Frequency / 5_000;

    /// <param name="count">The number of events.</param>
    /// <param name="rate">Events a second.</param>
    /// <param name="publish">Publishes the event of a number, due at a tick of the stopwatch.</param>
    public static async Task RunAsync(int count, int rate, Func<int, long, ValueTask> publish)
    {
        var unfinished = await Task.Factory.StartNew(
            () => Publish(count, rate, publish),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        await Task.WhenAll(unfinished);
    }

    private static List<Task> Publish(int count, int rate, Func<int, long, ValueTask> publish)
    {
        var unfinished = new List<Task>();
        var startedAt = Stopwatch.GetTimestamp();
        for (var i = 0; i < count; i++)
        {
            var dueAt = startedAt + (long)(i * (double)Stopwatch.Frequency / rate);
            while (dueAt - Stopwatch.GetTimestamp() is var early && early > 0)
            {
                if (early > Slack)
                {
                    _ = Sleep((uint)((early - Slack) * 1_000_000 / Stopwatch.Frequency));
                }
                else
                {
                    Thread.SpinWait(10);
                }
            }

            var publishing = publish(i, dueAt);
            if (!publishing.IsCompletedSuccessfully)
            {
                unfinished.Add(publishing.AsTask());
            }
        }

        return unfinished;
    }

    [LibraryImport("libc", EntryPoint = "usleep")]
    private static partial int Sleep(uint microseconds);
}
