using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Holds the claimed alerts until every dispatcher has sent them and they are marked as sent. Thread-safe.
/// </summary>
/// <param name="dispatcherCount">The number of dispatchers.</param>
internal sealed class HeldAlerts(int dispatcherCount)
{
    // If this many alerts are held, no more are claimed. The others stay in the store.
    private const int MaxHeld = 100_000;

    // If marking fails for more alerts than this, the earlier ones are no longer held, and may be sent a second time.
    private const int MaxUnmarked = 10_000;

    private readonly Lock gate = new();

    // The alerts that are claimed and not yet marked as sent, with the number of dispatchers that still have to send
    // each.
    private readonly Dictionary<PendingAlert, int> held = [];

    // The alerts that every dispatcher has sent and that must be marked. All are also in held, with the number 0.
    private readonly List<PendingAlert> toMark = [];

    // The alerts that were sent and could not be marked. All are also in held, with the number 0. When their lease
    // expires, the store returns them to an instance. If it is this one, marking is tried again.
    private readonly HashSet<PendingAlert> unmarked = [];

    /// <summary>True if more alerts may be claimed.</summary>
    public bool HasRoom
    {
        get
        {
            lock (gate)
            {
                return held.Count < MaxHeld;
            }
        }
    }

    /// <summary>True if an alert was sent and must be marked.</summary>
    public bool AnyToMark
    {
        get
        {
            lock (gate)
            {
                return toMark.Count > 0;
            }
        }
    }

    /// <summary>Adds a claimed alert to those that are held.</summary>
    /// <returns>False if it is held already: it was claimed again because its lease had expired.</returns>
    public bool TryAdd(PendingAlert alert)
    {
        lock (gate)
        {
            if (unmarked.Remove(alert))
            {
                // Every dispatcher has sent it already. It is still in held, so it is not sent again.
                toMark.Add(alert);
            }

            return held.TryAdd(alert, dispatcherCount);
        }
    }

    /// <summary>Records that one more dispatcher has sent these alerts.</summary>
    public void AddSent(IReadOnlyList<PendingAlert> alerts)
    {
        lock (gate)
        {
            foreach (var alert in alerts)
            {
                held[alert]--;
                if (held[alert] == 0)
                {
                    toMark.Add(alert);
                }
            }
        }
    }

    /// <summary>Gets the first alerts that every dispatcher has sent and that must be marked.</summary>
    /// <param name="max">The maximum number of alerts.</param>
    public PendingAlert[] GetToMark(int max)
    {
        lock (gate)
        {
            return [.. toMark.Take(max)];
        }
    }

    /// <summary>Releases alerts after the attempt to mark them, except those that could not be marked.</summary>
    /// <param name="attempted">The alerts that <see cref="GetToMark"/> returned.</param>
    /// <param name="failed">Those of them that could not be marked.</param>
    public void Release(PendingAlert[] attempted, HashSet<PendingAlert> failed)
    {
        lock (gate)
        {
            toMark.RemoveRange(0, attempted.Length);
            foreach (var alert in attempted)
            {
                // An alert that was not marked is claimed again when its lease expires. While it is held, this instance
                // does not send it again.
                if (failed.Contains(alert))
                {
                    AddUnmarked(alert);
                }
                else
                {
                    held.Remove(alert);
                }
            }
        }
    }

    private void AddUnmarked(PendingAlert alert)
    {
        // The store may never return an alert to this instance: another one may have claimed it, or an operator may
        // have discarded its dead letter.
        if (unmarked.Count == MaxUnmarked)
        {
            foreach (var earlier in unmarked)
            {
                held.Remove(earlier);
            }

            unmarked.Clear();
        }

        unmarked.Add(alert);
    }
}
