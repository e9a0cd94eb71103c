using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Sends the pending alerts of a store through all notifiers, outside of event processing: a failing notifier never
/// blocks the bus, and no alert is lost when the process ends.
/// </summary>
/// <remarks>
/// Passes each claimed alert to one dispatcher per notifier, and marks it as sent when all dispatchers have sent it.
/// After a restart, an alert that only some notifiers have received is sent to all of them again.
/// </remarks>
internal sealed class AlertCoordinator
{
    private const int ClaimSize = 1_000;

    // The maximum number of alerts that are claimed at once. The others stay in the store.
    private const int MaxHeld = 100_000;

    private readonly AlertSource source;
    private readonly TimeProvider time;
    private readonly TimeSpan lease;
    private readonly AlertMarker marker;
    private readonly IdleSignal idle;

    // Claims alerts, passes them to the dispatchers, and marks those that are sent. Woken by takeSignal.
    private readonly ScheduledLoop takeLoop;
    private readonly WakeSignal takeSignal = new();

    // In the order of the notifiers: the dispatcher of each, its loop and the signal that wakes the loop.
    private readonly List<AlertDispatcher> dispatchers;
    private readonly List<ScheduledLoop> sendLoops;
    private readonly List<WakeSignal> sendSignals;

    private readonly Lock gate = new();

    // The alerts that are claimed and not yet marked as sent, with the number of dispatchers that still have to send
    // each.
    private readonly Dictionary<PendingAlert, int> held = [];
    private readonly List<PendingAlert> toMark = [];

    // The alerts that were sent and could not be marked. When their lease expires, the store returns them again, and
    // marking is tried again.
    private readonly HashSet<PendingAlert> unmarked = [];

    // The number of alerts that were raised in this process, and its value before the latest completed claim.
    private long raised;
    private long raisedBeforeClaim;

    // The number of announced entries that are not recorded yet.
    private int announced;

    public AlertCoordinator(AlertSource source, IReadOnlyList<IDeadLetterNotifier> notifiers, AlertSettings settings, BusServices services)
    {
        this.source = source;
        time = services.StoreTime;
        idle = services.Idle;
        lease = settings.Interval + TimeSpan.FromMinutes(1);
        marker = new AlertMarker(source, services.Log);
        takeLoop = new ScheduledLoop($"taking alerts of {source.Name}", TakeAsync, source.PollInterval, takeSignal, services);
        dispatchers = [.. notifiers.Select((notifier, index) => new AlertDispatcher(
            notifier,
            $"alert {index + 1} of {source.Name}, {notifier.GetType()}",
            source,
            settings,
            services))];
        sendSignals = [.. dispatchers.Select(_ => new WakeSignal())];
        sendLoops = [.. dispatchers.Zip(sendSignals, (dispatcher, wake) => new ScheduledLoop(
            $"the loop of {dispatcher.Name}",
            stop => SendAsync(dispatcher, stop),
            Timeout.InfiniteTimeSpan,
            wake,
            services))];
    }

    /// <summary>True if new dead letters must be marked for an alert.</summary>
    public bool IsWanted => dispatchers.Count > 0;

    /// <summary>The loops, none without notifiers. The caller runs them concurrently.</summary>
    public IEnumerable<Func<CancellationToken, Task>> Loops =>
        IsWanted ? sendLoops.Prepend(takeLoop).Select(loop => (Func<CancellationToken, Task>)loop.RunAsync) : [];

    /// <summary>
    /// True if every alert that was raised in this process is sent, or waits for the end of an interval or of a
    /// backoff.
    /// </summary>
    public bool IsIdle
    {
        get
        {
            // The checks follow the order of processing: an alert that moves on during the checks is seen by a later
            // one.
            if (Volatile.Read(ref announced) != 0
                || Interlocked.Read(ref raised) != Interlocked.Read(ref raisedBeforeClaim)
                || !dispatchers.TrueForAll(dispatcher => dispatcher.IsIdle))
            {
                return false;
            }

            lock (gate)
            {
                return toMark.Count == 0;
            }
        }
    }

    /// <summary>
    /// Announces that an entry that needs an alert is about to be recorded: <see cref="IsIdle"/> is false from now on.
    /// </summary>
    public void Expect() => Interlocked.Increment(ref announced);

    /// <summary>Called when the announced entry was recorded and logged, or could not be recorded.</summary>
    public void Reported()
    {
        if (IsWanted)
        {
            // The counter increases after the entry was recorded: a claim that began earlier may have missed the entry,
            // and must not make IsIdle true.
            Interlocked.Increment(ref raised);
            takeSignal.Pulse();
        }

        Interlocked.Decrement(ref announced);
    }

    /// <summary>
    /// Sends all alerts without waiting for the end of an interval. Called when the bus stops and its store is not
    /// durable.
    /// </summary>
    public void Flush()
    {
        foreach (var (dispatcher, wake) in dispatchers.Zip(sendSignals))
        {
            dispatcher.Flush();
            wake.Pulse();
        }
    }

    private async Task<DateTimeOffset?> TakeAsync(CancellationToken stop)
    {
        var raisedBefore = Interlocked.Read(ref raised);
        await MarkAsync(stop);

        // If the maximum number is reached, no next time is returned: the next alert that is marked as sent wakes this
        // loop.
        DateTimeOffset? next = null;
        while (HasRoom())
        {
            var claimed = await source.ClaimAsync(time.GetUtcNow(), lease, ClaimSize, stop);
            foreach (var alert in claimed.Entries)
            {
                if (TryHold(alert))
                {
                    dispatchers.ForEach(dispatcher => dispatcher.Add(alert));
                }
            }

            if (claimed.Entries.Count < ClaimSize)
            {
                next = claimed.NextDue;
                break;
            }
        }

        sendSignals.ForEach(wake => wake.Pulse());
        Interlocked.Exchange(ref raisedBeforeClaim, raisedBefore);
        idle.Set();
        return next;
    }

    private async Task<DateTimeOffset?> SendAsync(AlertDispatcher dispatcher, CancellationToken stop)
    {
        while (dispatcher.TakeDue() is { } group)
        {
            var isSent = await dispatcher.TrySendAsync(group, stop);
            if (isSent)
            {
                // Before Settle, because the dispatcher is not idle until then, and after AddSent toMark is not empty:
                // so IsIdle is false all the time until the alerts are marked.
                AddSent(group.Waiting);
            }

            dispatcher.Settle(group, isSent);
        }

        idle.Set();
        return dispatcher.NextDue();
    }

    /// <summary>
    /// Marks the alerts that all dispatchers have sent. Alerts that cannot be marked are remembered, so that they are
    /// not sent twice.
    /// </summary>
    private async Task MarkAsync(CancellationToken stop)
    {
        while (true)
        {
            PendingAlert[] sent;
            lock (gate)
            {
                sent = [.. toMark.Take(ClaimSize)];
            }

            if (sent.Length == 0)
            {
                return;
            }

            var failed = await marker.MarkAsync(sent, stop);
            lock (gate)
            {
                toMark.RemoveRange(0, sent.Length);
                foreach (var alert in sent)
                {
                    // An alert that was not marked is claimed again when its lease expires. While it is held, it is not
                    // sent again.
                    if (failed.Contains(alert))
                    {
                        unmarked.Add(alert);
                    }
                    else
                    {
                        held.Remove(alert);
                    }
                }
            }
        }
    }

    private void AddSent(IReadOnlyList<PendingAlert> alerts)
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

        takeSignal.Pulse();
    }

    /// <summary>Adds a claimed alert to those that are held.</summary>
    /// <returns>False if it is held already: it was claimed again because its lease had expired.</returns>
    private bool TryHold(PendingAlert alert)
    {
        lock (gate)
        {
            if (unmarked.Remove(alert))
            {
                toMark.Add(alert);
            }

            return held.TryAdd(alert, dispatchers.Count);
        }
    }

    private bool HasRoom()
    {
        lock (gate)
        {
            return held.Count < MaxHeld;
        }
    }
}
