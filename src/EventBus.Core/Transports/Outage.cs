using Microsoft.Extensions.Logging;

namespace EventBus.Transports;

/// <summary>Decides which failures of what is tried again and again are logged: the first of each cause in full, then one line a minute, and one at the end. Thread-safe.</summary>
internal sealed class Outage(TimeProvider time)
{
    private const int MaxCauses = 10;
    private const int MaxErrorLength = 300;

    private static readonly TimeSpan SummaryPeriod = TimeSpan.FromMinutes(1);

    // What has not failed for that long does not fail any more, although nobody said so: it may not be tried again.
    private static readonly TimeSpan Memory = TimeSpan.FromMinutes(10);

    private readonly Lock gate = new();
    private readonly Dictionary<string, long> failing = [];
    private readonly HashSet<(string Activity, Type Error)> causes = [];
    private volatile bool isOver = true;
    private DateTimeOffset since;
    private long startedAt;
    private long? endedAt;
    private long spokeAt;
    private long? saidOverAt;
    private long total;
    private long unsaid;

    /// <summary>Nothing fails.</summary>
    public bool IsOver => isOver;

    /// <summary>Takes note of a failure, and logs the summary if one is due.</summary>
    /// <returns>Whether it is to be logged in full.</returns>
    public bool IsNew(ILogger log, string activity, Exception exception)
    {
        long count;
        lock (gate)
        {
            Begin();
            failing[activity] = time.GetTimestamp();
            total++;
            if (causes.Count < MaxCauses && causes.Add((activity, exception.GetType())))
            {
                return true;
            }

            unsaid++;
            if (time.GetElapsedTime(spokeAt) < SummaryPeriod)
            {
                return false;
            }

            (count, unsaid, spokeAt) = (unsaid, 0, time.GetTimestamp());
        }

        log.StillFailing(count, since, activity, exception.GetType(), MessageOf(exception));
        return false;
    }

    public void End(ILogger log, string activity)
    {
        TimeSpan lasted;
        long count;
        lock (gate)
        {
            if (!failing.Remove(activity) || failing.Count > 0)
            {
                return;
            }

            isOver = true;
            endedAt = time.GetTimestamp();
            if (saidOverAt is { } last && time.GetElapsedTime(last) < SummaryPeriod)
            {
                return;
            }

            saidOverAt = endedAt;
            (lasted, count, unsaid) = (time.GetElapsedTime(startedAt), total, 0);
        }

        log.OutageOver(count, lasted);
    }

    private static string MessageOf(Exception exception)
    {
        var text = ExceptionText.MessageOf(exception);
        return PrintableText.Start(text.AsSpan().IndexOfAny('\r', '\n') is >= 0 and var end ? text[..end] : text, MaxErrorLength);
    }

    private void Begin()
    {
        foreach (var (activity, at) in failing)
        {
            if (time.GetElapsedTime(at) >= Memory)
            {
                failing.Remove(activity);
                endedAt = failing.Count == 0 ? at : endedAt;
            }
        }

        if (failing.Count > 0)
        {
            return;
        }

        isOver = false;
        if (endedAt is { } end && time.GetElapsedTime(end) < SummaryPeriod)
        {
            return;
        }

        causes.Clear();
        (total, unsaid, since, startedAt, spokeAt) = (0, 0, time.GetUtcNow(), time.GetTimestamp(), time.GetTimestamp());
    }
}
