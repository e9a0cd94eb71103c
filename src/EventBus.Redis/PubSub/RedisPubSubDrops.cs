using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Counts the events that found no room, and tells of them at once and then every so often. Thread-safe.</summary>
internal sealed class RedisPubSubDrops(string subscription, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan Often = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Recent = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();
    private long untold;
    private long toldAt;
    private long droppedAt;
    private bool any;

    /// <summary>The last one was less than a minute ago.</summary>
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
            untold++;
            (any, droppedAt) = (true, time.GetTimestamp());
        }

        Tell();
    }

    /// <summary>Logs what was not told of, unless that was done a moment ago.</summary>
    /// <param name="atOnce">Whenever that was.</param>
    public void Tell(bool atOnce = false)
    {
        if (Volatile.Read(ref untold) == 0)
        {
            return;
        }

        long dropped;
        lock (gate)
        {
            if (untold == 0 || (!atOnce && toldAt != 0 && time.GetElapsedTime(toldAt) < Often))
            {
                return;
            }

            (dropped, untold, toldAt) = (untold, 0, time.GetTimestamp());
        }

        log.Dropped(dropped, subscription);
    }
}
