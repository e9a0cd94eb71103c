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

    private readonly AlertSource source;
    private readonly AlertSettings settings;
    private readonly TimeProvider time;
    private readonly TimeSpan lease;
    private readonly AlertMarker marker;
    private readonly IdleSignal idle;

    // Claims alerts, passes them to the dispatchers, and marks those that are sent. Woken by takeSignal.
    private readonly ScheduledLoop takeLoop;
    private readonly WakeSignal takeSignal = new();

    // The dispatcher of each notifier.
    private readonly List<AlertDispatcher> dispatchers;
    private readonly HeldAlerts held;

    // The number of alerts that were raised in this process, and its value before the latest completed claim.
    private long raised;
    private long raisedBeforeClaim;

    // The number of announced entries that are not recorded yet.
    private int announced;

    public AlertCoordinator(AlertSource source, IReadOnlyList<IDeadLetterNotifier> notifiers, AlertSettings settings, BusServices services)
    {
        this.source = source;
        this.settings = settings;
        time = services.StoreTime;
        idle = services.Idle;
        lease = settings.Interval + TimeSpan.FromMinutes(1);
        marker = new AlertMarker(source, services.Log);
        takeLoop = new ScheduledLoop($"taking alerts of {source.Name}", TakeAsync, source.PollInterval, takeSignal, services);
        held = new HeldAlerts(notifiers.Count);
        dispatchers = [.. notifiers.Select((notifier, index) => new AlertDispatcher(
            new AlertSender(notifier, $"alert {index + 1} of {source.Name}, {notifier.GetType()}", source, settings, services),
            settings,
            held,
            takeSignal,
            services))];
    }

    /// <summary>True if new dead letters must be marked for an alert.</summary>
    public bool IsWanted => dispatchers.Count > 0;

    /// <summary>The loops, none without notifiers. The caller runs them concurrently.</summary>
    public IEnumerable<Func<CancellationToken, Task>> Loops =>
        IsWanted ? dispatchers.Select(dispatcher => (Func<CancellationToken, Task>)dispatcher.RunAsync).Prepend(takeLoop.RunAsync) : [];

    /// <summary>
    /// True if every alert that was raised in this process is sent, or waits for the end of an interval or of a
    /// backoff.
    /// </summary>
    public bool IsIdle =>
        // The checks follow the order of processing: an alert that moves on during the checks is seen by a later one.
        Volatile.Read(ref announced) == 0
        && Interlocked.Read(ref raised) == Interlocked.Read(ref raisedBeforeClaim)
        && dispatchers.TrueForAll(dispatcher => dispatcher.IsIdle)
        && !held.AnyToMark;

    /// <summary>
    /// Returns what the log shows, as the alerts do: the link to the subject, or the call that finds it.
    /// </summary>
    public string ShownBy(string id, string subscription) =>
        AlertLink.Of(source.LinkTemplate(settings), settings.ServiceName, id, subscription) ?? source.FindCall(id, subscription);

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
    public void Flush() => dispatchers.ForEach(dispatcher => dispatcher.Flush());

    private async Task<DateTimeOffset?> TakeAsync(CancellationToken stop)
    {
        var raisedBefore = Interlocked.Read(ref raised);
        await MarkAsync(stop);

        // If the maximum number is reached, no next time is returned: the next alert that is marked as sent wakes this
        // loop.
        DateTimeOffset? next = null;
        while (held.HasRoom)
        {
            var claimed = await source.ClaimAsync(time.GetUtcNow(), lease, ClaimSize, stop);
            foreach (var alert in claimed.Entries)
            {
                if (held.TryAdd(alert))
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

        dispatchers.ForEach(dispatcher => dispatcher.Wake());
        Interlocked.Exchange(ref raisedBeforeClaim, raisedBefore);
        idle.Set();
        return next;
    }

    /// <summary>
    /// Marks the alerts that all dispatchers have sent. Alerts that cannot be marked are remembered, so that they are
    /// not sent twice.
    /// </summary>
    private async Task MarkAsync(CancellationToken stop)
    {
        while (true)
        {
            var sent = held.GetToMark(ClaimSize);
            if (sent.Length == 0)
            {
                return;
            }

            held.Release(sent, await marker.MarkAsync(sent, stop));
        }
    }
}
