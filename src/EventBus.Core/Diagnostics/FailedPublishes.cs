using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Limits the log entries of failed publishes. For each event name and kind of failure, the first failure is logged at
/// once. Further failures are counted, and one entry per 10 s reports the count. Thread-safe.
/// </summary>
/// <remarks>
/// After the bus has stopped, no timer logs anything: by then the log may be closed. Failures are counted as before,
/// and the next one that comes at least 10 s later reports the count.
/// </remarks>
internal sealed class FailedPublishes(TimeProvider time)
{
    /// <summary>The maximum number of kinds that are counted separately.</summary>
    public const int MaxKinds = 200;

    /// <summary>Stands for the event names beyond the maximum.</summary>
    public const string OtherEvents = "other events";

    /// <summary>The period in which further failures are only counted.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private readonly Dictionary<(string EventName, string Failure, LogLevel Level), FailedPublishKind> kinds = [];
    private ITimer? timer;
    private bool isTimerSet;
    private bool hasEnded;

    /// <summary>Logs or counts a failure.</summary>
    public void Record(ILogger log, FailedPublish failure)
    {
        long unlogged;
        lock (gate)
        {
            var now = time.GetTimestamp();
            if (KindOf(ref failure, now) is { } kind)
            {
                if (time.GetElapsedTime(kind.LoggedAt, now) < Period)
                {
                    kind.Unlogged++;
                    kind.Last = failure;
                    SetTimer(log);
                    return;
                }

                unlogged = kind.Restart(now);
            }
            else
            {
                kinds.Add(KeyOf(failure), new FailedPublishKind { LoggedAt = now });
                unlogged = 0;
            }
        }

        Write(log, failure, unlogged + 1);
    }

    /// <summary>
    /// Logs the counts that no entry has reported yet, and ends the timer. Called when the bus has stopped; further
    /// calls log what was counted since.
    /// </summary>
    public void End(ILogger log)
    {
        lock (gate)
        {
            hasEnded = true;
            timer?.Dispose();
            timer = null;
        }

        Report(log, TimeSpan.Zero);
    }

    private static (string EventName, string Failure, LogLevel Level) KeyOf(FailedPublish failure) =>
        (failure.EventName, failure.Failure, failure.Level);

    private static void Write(ILogger log, FailedPublish failure, long count)
    {
        if (count == 1)
        {
            failure.WriteTo(log);
        }
        else
        {
            failure.WriteTo(log, count);
        }
    }

    /// <summary>
    /// Returns what is known about failures like this one; null for none. If there are too many event names, the name
    /// of the failure is replaced.
    /// </summary>
    private FailedPublishKind? KindOf(ref FailedPublish failure, long now)
    {
        if (kinds.TryGetValue(KeyOf(failure), out var known))
        {
            return known;
        }

        if (kinds.Count >= MaxKinds)
        {
            foreach (var (key, kind) in kinds)
            {
                if (kind.Unlogged == 0 && time.GetElapsedTime(kind.LoggedAt, now) >= Period)
                {
                    kinds.Remove(key);
                }
            }
        }

        if (kinds.Count >= MaxKinds)
        {
            failure = failure with { EventName = OtherEvents };
        }

        return kinds.GetValueOrDefault(KeyOf(failure));
    }

    private void SetTimer(ILogger log)
    {
        if (isTimerSet || hasEnded)
        {
            return;
        }

        isTimerSet = true;
        if (timer is null)
        {
            // The timer serves all publishers, so it must not keep the trace of the first one.
            using var noFlow = ExecutionContext.IsFlowSuppressed() ? default(AsyncFlowControl?) : ExecutionContext.SuppressFlow();
            timer = time.CreateTimer(_ => Report(log, Period), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        timer.Change(Period, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Logs the counts of the kinds whose last entry is at least as old as given.</summary>
    private void Report(ILogger log, TimeSpan age)
    {
        var reports = new List<(FailedPublish Last, long Count)>();
        lock (gate)
        {
            var now = time.GetTimestamp();
            isTimerSet = false;
            foreach (var kind in kinds.Values.Where(kind => kind.Last is not null))
            {
                if (time.GetElapsedTime(kind.LoggedAt, now) >= age)
                {
                    var last = kind.Last!;
                    reports.Add((last, kind.Restart(now)));
                }
                else
                {
                    SetTimer(log);
                }
            }
        }

        foreach (var (last, count) in reports)
        {
            last.WriteTo(log, count);
        }
    }
}
