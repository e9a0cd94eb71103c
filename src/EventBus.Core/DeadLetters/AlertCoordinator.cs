using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Alerts people of what the store says they were not told of yet, off the path of events: a dead alert never blocks the bus, and none is forgotten with the process.</summary>
/// <remarks>It hands what it claims to a lane for each alert, and marks as sent what all of them were told of. A restart tells them again of what only some of them know.</remarks>
internal sealed class AlertCoordinator
{
    private const int ClaimSize = 1_000;

    // After so many failures in a row it is not the store, or not only.
    private const int MostInVain = 3;

    // Beyond it the rest stays in the store until there is room.
    private const int MaxHeld = 100_000;

    private readonly AlertSource source;
    private readonly TimeProvider time;
    private readonly TimeSpan lease;
    private readonly List<AlertDispatcher> lanes;
    private readonly ScheduledLoop taking;
    private readonly List<ScheduledLoop> sending;
    private readonly Lock gate = new();

    // What was claimed and is not marked as sent yet, with the number of alerts that do not know of it.
    private readonly Dictionary<PendingAlert, int> held = [];
    private readonly List<PendingAlert> told = [];

    // What was told of and could not be marked: it is tried again when the store hands it out again.
    private readonly HashSet<PendingAlert> unmarked = [];
    private readonly ILogger log;
    private readonly string marking;
    private int markFailures;

    private long raised;
    private long looked;
    private int beingReported;

    public AlertCoordinator(AlertSource source, IReadOnlyList<IDeadLetterNotifier> alerts, AlertSettings settings, RunEnvironment environment)
    {
        this.source = source;
        (time, log) = (environment.Time, environment.Log);
        lease = settings.Interval + TimeSpan.FromMinutes(1);
        marking = $"marking alerts of {source.Name} as sent";
        lanes = [.. alerts.Select((alert, index) => new AlertDispatcher(alert, $"alert {index + 1} of {source.Name}, {alert.GetType()}", source, settings, environment) { Told = Told })];
        taking = new ScheduledLoop($"taking alerts of {source.Name}", TakeAsync, source.PollInterval, time, environment.Log);
        sending = [.. lanes.Select(lane => new ScheduledLoop($"the loop of {lane.Name}", stop => SendAsync(lane, stop), Timeout.InfiniteTimeSpan, time, environment.Log))];
    }

    /// <summary>Called when something was sent or taken.</summary>
    public Action? Settled { get; set; }

    /// <summary>Whoever records a dead letter marks it for an alert.</summary>
    public bool IsWanted => lanes.Count > 0;

    /// <summary>The loops, to be run side by side.</summary>
    public IEnumerable<Func<CancellationToken, Task>> Loops => IsWanted ? sending.Prepend(taking).Select(loop => (Func<CancellationToken, Task>)loop.RunAsync) : [];

    /// <summary>Every alert that was raised here was sent, or waits for the end of an interval or of a backoff.</summary>
    public bool IsIdle
    {
        get
        {
            // In the order in which an alert passes through, so that none slips by between two looks.
            if (Volatile.Read(ref beingReported) != 0 || Interlocked.Read(ref raised) != Interlocked.Read(ref looked) || !lanes.TrueForAll(lane => lane.IsIdle))
            {
                return false;
            }

            lock (gate)
            {
                return told.Count == 0;
            }
        }
    }

    /// <summary>An entry is about to be recorded that needs an alert: whoever waits for idleness waits for it from now on.</summary>
    public void Expect() => Interlocked.Increment(ref beingReported);

    /// <summary>The entry was recorded and logged, or could not be.</summary>
    public void Reported()
    {
        if (IsWanted)
        {
            // The look that counts begins after the entry was recorded.
            Interlocked.Increment(ref raised);
            taking.Wake();
        }

        Interlocked.Decrement(ref beingReported);
    }

    /// <summary>The bus stops, and its store forgets: nothing waits for the end of an interval any more.</summary>
    public void Hurry()
    {
        foreach (var (lane, loop) in lanes.Zip(sending))
        {
            lane.Hurry();
            loop.Wake();
        }
    }

    private async Task<DateTimeOffset?> TakeAsync(CancellationToken stop)
    {
        var seen = Interlocked.Read(ref raised);
        await MarkAsync(stop);

        // Without room there is nothing to come again for: whatever is sent makes some, and wakes this.
        DateTimeOffset? next = null;
        while (HasRoom())
        {
            var claimed = await source.ClaimAsync(time.GetUtcNow(), lease, ClaimSize, stop);
            foreach (var alert in claimed.Entries.Where(Hold))
            {
                lanes.ForEach(lane => lane.Add(alert));
            }

            if (claimed.Entries.Count < ClaimSize)
            {
                next = claimed.NextDue;
                break;
            }
        }

        sending.ForEach(loop => loop.Wake());
        Interlocked.Exchange(ref looked, seen);
        Settled?.Invoke();
        return next;
    }

    private async Task<DateTimeOffset?> SendAsync(AlertDispatcher lane, CancellationToken stop)
    {
        var next = await lane.SendDueAsync(stop);
        Settled?.Invoke();
        return next;
    }

    /// <summary>Marks what all alerts were told of. What cannot be marked now is kept in mind, so that nobody is told twice.</summary>
    private async Task MarkAsync(CancellationToken stop)
    {
        while (true)
        {
            PendingAlert[] sent;
            lock (gate)
            {
                sent = [.. told.Take(ClaimSize)];
            }

            if (sent.Length == 0)
            {
                return;
            }

            var failed = await MarkAsync(sent, stop);
            lock (gate)
            {
                told.RemoveRange(0, sent.Length);
                foreach (var alert in sent)
                {
                    // What was not marked is claimed again when its lease is over, and nobody is told twice of what is held.
                    _ = failed.Contains(alert) ? unmarked.Add(alert) : held.Remove(alert);
                }
            }
        }
    }

    /// <summary>Marks alerts as sent.</summary>
    /// <returns>Those that could not be marked.</returns>
    private async Task<HashSet<PendingAlert>> MarkAsync(PendingAlert[] sent, CancellationToken stop)
    {
        try
        {
            await source.ToldAsync(sent, stop);
            markFailures = 0;
            log.Working(marking);
            return [];
        }
        catch (Exception) when (++markFailures >= MostInVain && !stop.IsCancellationRequested)
        {
            return await MarkOneByOneAsync(sent, stop);
        }
    }

    /// <summary>What a store does not mark together it may mark one by one: one that cannot be marked keeps no other from being told.</summary>
    private async Task<HashSet<PendingAlert>> MarkOneByOneAsync(PendingAlert[] sent, CancellationToken stop)
    {
        var failed = new HashSet<PendingAlert>();
        foreach (var alert in sent)
        {
            if (failed.Count == MostInVain && failed.SetEquals(sent.Take(MostInVain)))
            {
                // The store takes nothing: the others would be asked in vain.
                return [.. sent];
            }

            try
            {
                await source.ToldAsync([alert], stop);
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                failed.Add(alert);
                log.Failing(marking, exception, full => full.NotMarked(alert.Id, exception));
            }
        }

        return failed;
    }

    private void Told(IReadOnlyList<PendingAlert> alerts)
    {
        lock (gate)
        {
            told.AddRange(alerts.Where(alert => --held[alert] == 0));
        }

        taking.Wake();
    }

    private bool Hold(PendingAlert alert)
    {
        lock (gate)
        {
            if (unmarked.Remove(alert))
            {
                told.Add(alert);
            }

            return held.TryAdd(alert, lanes.Count);
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
