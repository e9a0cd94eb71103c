using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Counts dropped events. Logs the first drop immediately and later ones at most every 10 s. Thread-safe.
/// </summary>
internal sealed class RedisPubSubDrops(string subscription, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Recent = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();
    private long unreported;
    private long reportedAt;
    private long droppedAt;
    private bool any;

    /// <summary>True if an event was dropped less than a minute ago.</summary>
    public bool AreRecent
    {
        get
        {
            lock (gate)
            {
                return any && time.GetElapsedTime(droppedAt) < Recent;
            }
        }
    }

    public void Add()
    {
        lock (gate)
        {
            unreported++;
            (any, droppedAt) = (true, time.GetTimestamp());
        }

        Report();
    }

    /// <summary>Logs the drops that are not logged yet, unless the last log entry is less than 10 s old.</summary>
    /// <param name="atOnce">True to log regardless of the age of the last log entry.</param>
    public void Report(bool atOnce = false)
    {
        if (Volatile.Read(ref unreported) == 0)
        {
            return;
        }

        long dropped;
        lock (gate)
        {
            if (unreported == 0 || (!atOnce && reportedAt != 0 && time.GetElapsedTime(reportedAt) < LogInterval))
            {
                return;
            }

            (dropped, unreported, reportedAt) = (unreported, 0, time.GetTimestamp());
        }

        log.Dropped(dropped, subscription);
    }
}
