using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Groups the alerts that one notifier still has to send, and decides when each group is due. Thread-safe.
/// </summary>
/// <remarks>
/// The first dead letter of a subscription and event name is sent at once. Dead letters that follow within the interval
/// are sent together when the interval ends. All event names that the application did not declare count as one name: a
/// sender of invented names creates neither more groups nor more alerts.
/// </remarks>
internal sealed class AlertGroups(AlertSettings settings, TimeProvider time)
{
    private static readonly Backoff RetryDelays = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5));

    private readonly Lock gate = new();
    private readonly Dictionary<(string Subscription, string? EventName), AlertGroup> groups = [];
    private bool isSending;
    private bool isFlushing;

    /// <summary>
    /// True if no alert can be sent now: there is none, or all wait for the end of an interval or of a backoff.
    /// </summary>
    public bool IsIdle
    {
        get
        {
            lock (gate)
            {
                return !isSending && groups.Values.All(group => group.Waiting.Count == 0 || group.NotBefore > Elapsed);
            }
        }
    }

    // The time on the monotonic clock.
    private TimeSpan Elapsed => time.GetElapsedTime(0);

    public void Add(PendingAlert alert)
    {
        lock (gate)
        {
            var key = KeyOf(alert);
            if (!groups.TryGetValue(key, out var group))
            {
                group = new AlertGroup();
                groups.Add(key, group);
            }

            group.Waiting.Add(alert);
        }
    }

    /// <summary>
    /// Stops waiting for the end of intervals from now on, and immediately retries failed alerts once.
    /// </summary>
    public void Flush()
    {
        lock (gate)
        {
            isFlushing = true;
            foreach (var group in groups.Values)
            {
                group.NotBefore = default;
            }
        }
    }

    /// <summary>Gets the time at which the next group is due; null if there is none.</summary>
    public DateTimeOffset? NextDue()
    {
        lock (gate)
        {
            if (groups.Count == 0)
            {
                return null;
            }

            // The clock is read first: if it moves before the second reading, the result is early and not late.
            var now = time.GetUtcNow();
            var wait = groups.Values.Min(group => group.NotBefore) - Elapsed;
            return now + (wait > TimeSpan.Zero ? wait : TimeSpan.Zero);
        }
    }

    /// <summary>
    /// Takes the due group that has waited longest. A new group replaces it, so that alerts that are added meanwhile
    /// wait for their time.
    /// </summary>
    public AlertGroup? TakeDue()
    {
        lock (gate)
        {
            var now = Elapsed;

            // An empty group only keeps the time of the next alert. After that time it is not needed.
            foreach (var (key, group) in groups.ToList())
            {
                if (group.Waiting.Count == 0 && group.NotBefore <= now)
                {
                    groups.Remove(key);
                }
            }

            var due = groups.Values.Where(group => group.Waiting.Count > 0 && group.NotBefore <= now).MinBy(group => group.NotBefore);
            if (due is not null)
            {
                // The new group is not due until Settle sets its time.
                groups[KeyOf(due.Waiting[0])] = new AlertGroup { NotBefore = TimeSpan.MaxValue };
                isSending = true;
            }

            return due;
        }
    }

    /// <summary>Ends the attempt to send a group: its alerts were sent, or wait for the backoff.</summary>
    public void Settle(AlertGroup group, bool isSent)
    {
        lock (gate)
        {
            var key = KeyOf(group.Waiting[0]);
            var now = Elapsed;
            var addedMeanwhile = groups[key].Waiting;
            groups[key] = isSent
                ? new AlertGroup { Waiting = addedMeanwhile, NotBefore = isFlushing ? now : now + settings.Interval }
                : new AlertGroup
                {
                    Waiting = [.. group.Waiting, .. addedMeanwhile],
                    NotBefore = now + RetryDelays.After(group.Failures + 1),
                    Failures = group.Failures + 1
                };
            isSending = false;
        }
    }

    /// <summary>Gets the key of the group of an alert. The event name is null for all undeclared names.</summary>
    private (string Subscription, string? EventName) KeyOf(PendingAlert alert) =>
        (alert.Subscription, settings.KnowsEvent(alert.EventName) ? alert.EventName : null);
}
