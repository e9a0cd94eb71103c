using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

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

    // When marking has failed this number of times in a row, the alerts are marked one by one: a single alert may be
    // the cause.
    private const int FailuresBeforeOneByOne = 3;

    // The maximum number of alerts that are claimed at once. The others stay in the store.
    private const int MaxHeld = 100_000;

    private readonly AlertSource source;
    private readonly TimeProvider time;
    private readonly TimeSpan lease;
    private readonly List<AlertDispatcher> dispatchers;
    private readonly ScheduledLoop taking;
    private readonly WakeSignal due = new();
    private readonly List<ScheduledLoop> loops;
    private readonly List<WakeSignal> sending;
    private readonly Lock gate = new();

    // The alerts that are claimed and not yet marked as sent, with the number of dispatchers that still have to send
    // each.
    private readonly Dictionary<PendingAlert, int> held = [];
    private readonly List<PendingAlert> toMark = [];

    // The alerts that were sent and could not be marked. Marking is tried again when the store returns them again.
    private readonly HashSet<PendingAlert> unmarked = [];
    private readonly ILogger log;
    private readonly IdleSignal idle;
    private readonly string marking;
    private int markFailures;

    private long raised;
    private long looked;
    private int beingReported;

    public AlertCoordinator(AlertSource source, IReadOnlyList<IDeadLetterNotifier> alerts, AlertSettings settings, BusServices services)
    {
        this.source = source;
        (time, log, idle) = (services.StoreTime, services.Log, services.Idle);
        lease = settings.Interval + TimeSpan.FromMinutes(1);
        marking = $"marking alerts of {source.Name} as sent";
        dispatchers = [.. alerts.Select((alert, index) => new AlertDispatcher(
            alert,
            $"alert {index + 1} of {source.Name}, {alert.GetType()}",
            source,
            settings,
            services))];
        taking = new ScheduledLoop($"taking alerts of {source.Name}", TakeAsync, source.PollInterval, due, services);
        sending = [.. dispatchers.Select(_ => new WakeSignal())];
        loops = [.. dispatchers.Zip(sending, (dispatcher, wake) => new ScheduledLoop(
            $"the loop of {dispatcher.Name}",
            stop => SendAsync(dispatcher, stop),
            Timeout.InfiniteTimeSpan,
            wake,
            services))];
    }

    /// <summary>True if new dead letters must be marked for an alert.</summary>
    public bool IsWanted => dispatchers.Count > 0;

    /// <summary>The loops; the caller runs them concurrently.</summary>
    public IEnumerable<Func<CancellationToken, Task>> Loops =>
        IsWanted ? loops.Prepend(taking).Select(loop => (Func<CancellationToken, Task>)loop.RunAsync) : [];

    /// <summary>
    /// True if every alert that was raised in this process is sent, or waits for the end of an interval or of a
    /// backoff.
    /// </summary>
    public bool IsIdle
    {
        get
        {
            // The checks follow the order of processing, so that no alert moves past them unseen.
            if (Volatile.Read(ref beingReported) != 0
                || Interlocked.Read(ref raised) != Interlocked.Read(ref looked)
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
    public void Expect() => Interlocked.Increment(ref beingReported);

    /// <summary>Called when the announced entry was recorded and logged, or could not be recorded.</summary>
    public void Reported()
    {
        if (IsWanted)
        {
            // The counter increases after the entry was recorded: a pass that began earlier may have missed the entry,
            // and must not make this class idle.
            Interlocked.Increment(ref raised);
            due.Pulse();
        }

        Interlocked.Decrement(ref beingReported);
    }

    /// <summary>
    /// Sends all alerts without waiting for the end of an interval. Called when the bus stops and its store is not
    /// durable.
    /// </summary>
    public void Flush()
    {
        foreach (var (dispatcher, wake) in dispatchers.Zip(sending))
        {
            dispatcher.Flush();
            wake.Pulse();
        }
    }

    private async Task<DateTimeOffset?> TakeAsync(CancellationToken stop)
    {
        var seen = Interlocked.Read(ref raised);
        await MarkAsync(stop);

        // If the maximum number is reached, no next time is returned: the next alert that is marked as sent wakes this
        // loop.
        DateTimeOffset? next = null;
        while (HasRoom())
        {
            var claimed = await source.ClaimAsync(time.GetUtcNow(), lease, ClaimSize, stop);
            foreach (var alert in claimed.Entries.Where(Hold))
            {
                dispatchers.ForEach(dispatcher => dispatcher.Add(alert));
            }

            if (claimed.Entries.Count < ClaimSize)
            {
                next = claimed.NextDue;
                break;
            }
        }

        sending.ForEach(wake => wake.Pulse());
        Interlocked.Exchange(ref looked, seen);
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
                // The call must precede Settle: until Settle, the dispatcher counts as busy, so that IsIdle stays false
                // until the alerts are marked.
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

            var failed = await MarkAsync(sent, stop);
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

    /// <summary>Marks alerts as sent.</summary>
    /// <returns>The alerts that could not be marked.</returns>
    private async Task<HashSet<PendingAlert>> MarkAsync(PendingAlert[] sent, CancellationToken stop)
    {
        try
        {
            await source.MarkSentAsync(sent, stop);
            markFailures = 0;
            log.Working(marking);
            return [];
        }
        catch (Exception) when (++markFailures >= FailuresBeforeOneByOne && !stop.IsCancellationRequested)
        {
            return await MarkOneByOneAsync(sent, stop);
        }
    }

    /// <summary>
    /// Marks alerts one by one after marking them together has failed: an alert that cannot be marked does not affect
    /// the others.
    /// </summary>
    private async Task<HashSet<PendingAlert>> MarkOneByOneAsync(PendingAlert[] sent, CancellationToken stop)
    {
        var failed = new HashSet<PendingAlert>();
        foreach (var alert in sent)
        {
            if (failed.Count == FailuresBeforeOneByOne && failed.SetEquals(sent.Take(FailuresBeforeOneByOne)))
            {
                // None of the first alerts could be marked, so the store accepts no marks at present.
                return [.. sent];
            }

            try
            {
                await source.MarkSentAsync([alert], stop);
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                failed.Add(alert);
                log.Failing(marking, exception, logger => logger.NotMarked(alert.Id, exception));
            }
        }

        return failed;
    }

    private void AddSent(IReadOnlyList<PendingAlert> alerts)
    {
        lock (gate)
        {
            toMark.AddRange(alerts.Where(alert => --held[alert] == 0));
        }

        due.Pulse();
    }

    private bool Hold(PendingAlert alert)
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
