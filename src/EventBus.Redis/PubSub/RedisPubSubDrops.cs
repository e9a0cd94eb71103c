using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Counts dropped events. Logs the first drop immediately and later ones at most every 10 s. Thread-safe.
/// </summary>
internal sealed class RedisPubSubDrops(string subscription, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RecentPeriod = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();

    // The number of drops since the last log entry.
    private long unlogged;

    // The timestamps of the last log entry and of the last drop; null if there was none.
    private long? lastLogged;
    private long? lastDropped;

    /// <summary>True if an event was dropped less than a minute ago.</summary>
    public bool AreRecent
    {
        get
        {
            lock (gate)
            {
                return lastDropped is { } timestamp && time.GetElapsedTime(timestamp) < RecentPeriod;
            }
        }
    }

    public void Add()
    {
        lock (gate)
        {
            unlogged++;
            lastDropped = time.GetTimestamp();
        }

        Report();
    }

    /// <summary>Logs the drops that are not logged yet, unless the last log entry is less than 10 s old.</summary>
    /// <param name="atOnce">True to log regardless of the age of the last log entry.</param>
    public void Report(bool atOnce = false)
    {
        // Called for each received event, so the usual case takes no lock.
        if (Volatile.Read(ref unlogged) == 0)
        {
            return;
        }

        long count;
        lock (gate)
        {
            var isTooEarly = lastLogged is { } timestamp && time.GetElapsedTime(timestamp) < LogInterval;
            if (unlogged == 0 || (isTooEarly && !atOnce))
            {
                return;
            }

            count = unlogged;
            unlogged = 0;
            lastLogged = time.GetTimestamp();
        }

        log.Dropped(count, subscription);
    }
}
