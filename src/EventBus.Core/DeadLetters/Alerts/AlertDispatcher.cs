using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Sends alerts through one notifier, independently of the other notifiers: if it hangs or fails, it does not delay
/// them. Thread-safe.
/// </summary>
/// <remarks>
/// The first dead letter of a subscription and event name is sent at once. Dead letters that follow within the interval
/// are sent together when the interval ends. All event names that the application did not declare count as one name: a
/// sender of invented names creates neither more groups nor more alerts.
/// </remarks>
/// <param name="notifier">The notifier.</param>
/// <param name="name">The name of this dispatcher in logs; unique.</param>
/// <param name="source">Provides the dead letters of the alerts.</param>
/// <param name="settings">The settings that all alerts share.</param>
/// <param name="services">The clock and the log.</param>
internal sealed class AlertDispatcher(
    IDeadLetterNotifier notifier,
    string name,
    AlertSource source,
    AlertSettings settings,
    BusServices services)
{
    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(30);
    private static readonly Backoff RetryDelays = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5));

    // When this number of dead letters could not be read in one attempt, the attempt reads no more of them.
    private const int MaxUnreadable = 3;

    // When this number of attempts has failed, a dead letter that cannot be read is reported without its content.
    private const int FailuresBeforePlaceholder = 3;

    private readonly Lock gate = new();
    private readonly TimeProvider time = services.StoreTime;
    private readonly Dictionary<(string Subscription, string? EventName), AlertGroup> groups = [];
    private bool isSending;
    private bool isFlushing;

    /// <summary>The name of this dispatcher in logs; unique.</summary>
    public string Name => name;

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

    /// <summary>Sends a group as one alert, or nothing if none of its alerts is needed any longer.</summary>
    /// <returns>False if it failed.</returns>
    public async Task<bool> TrySendAsync(AlertGroup group, CancellationToken stop)
    {
        var pending = group.Waiting;
        try
        {
            var first = await FindFirstAsync(pending, group.Failures, stop);
            if (first is not null)
            {
                using var timeout = stop.WithTimeout(SendTimeout, time);
                var alert = new DeadLetterAlert(
                    first,
                    [.. pending.Select(pendingAlert => pendingAlert.Id).Distinct(StringComparer.Ordinal)])
                { ServiceName = settings.ServiceName };
                var sending = notifier.NotifyAsync(alert, timeout.Token)
                    ?? throw new InvalidOperationException($"The notifier {notifier.GetType()} returned null instead of a task.");
                await sending.Observed().WaitAsync(timeout.Token);
            }

            services.Log.Working(name);
            return true;
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            services.Log.Failing(
                name,
                exception,
                logger => logger.AlertFailed(notifier.GetType(), pending.Count, pending[0].Id, exception));
            return false;
        }
    }

    /// <summary>
    /// Gets the first dead letter that still needs an alert and can be read; null if none needs one. If none can be
    /// read, throws in the first attempts, because the store may be unavailable. Later attempts return a placeholder
    /// with the known data, so that a damaged dead letter does not delay the others without end.
    /// </summary>
    private async Task<DeadLetter?> FindFirstAsync(List<PendingAlert> pending, int failures, CancellationToken stop)
    {
        var unreadable = new List<(PendingAlert Alert, Exception Error)>();
        foreach (var alert in pending)
        {
            try
            {
                var deadLetter = await source.FindAsync(alert, stop);
                if (deadLetter is not null)
                {
                    return deadLetter;
                }
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                unreadable.Add((alert, exception));
                if (unreadable.Count == MaxUnreadable)
                {
                    break;
                }
            }
        }

        if (unreadable.Count == 0)
        {
            return null;
        }

        var (first, error) = unreadable[0];
        return failures >= FailuresBeforePlaceholder
            ? Placeholder(first)
            : throw new EventBusException($"The dead letter {first.Id} could not be read.", error);
    }

    private static DeadLetter Placeholder(PendingAlert alert) => DeadLetterMapper.ToDeadLetter(new FailedEvent
    {
        Subscription = alert.Subscription,
        Envelope = new Envelope(
            new EnvelopeAttributes { Id = EventIdOf(alert), Name = alert.EventName },
            []),
        Status = FailedEventStatus.Dead,
        Reason = DeadLetterReason.Unstorable,
        Error = "The store cannot read this dead letter.",
        Number = alert.Number,
    });

    /// <summary>Gets the event id from the id of a dead letter (<see cref="FailedEvent.MakeId"/>).</summary>
    private static string EventIdOf(PendingAlert alert) => alert.Id[(alert.Id.IndexOf('~', StringComparison.Ordinal) + 1)..];
}
