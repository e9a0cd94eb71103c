using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Tells one alert of the dead letters, at its own pace: one that hangs or fails holds up no other. Thread-safe.</summary>
/// <remarks>
/// The first dead letter of a subscription and event name is told of at once; those that follow within the interval together, when it is over. Names that the application did not declare count as one: a sender who
/// invents names makes neither more groups nor more alerts.
/// </remarks>
internal sealed class AlertDispatcher(IDeadLetterNotifier sink, string activity, AlertSource source, AlertSettings settings, RunEnvironment environment)
{
    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromMinutes(5);

    // Of so many alerts the store is asked at most when it does not answer.
    private const int MostUnread = 3;

    // And so often, before it is taken for granted that they cannot be read.
    private const int FailuresUntilUnread = 3;

    private readonly Lock gate = new();
    private readonly TimeProvider time = environment.Time;
    private readonly Dictionary<(string Subscription, string? EventName), Group> groups = [];
    private bool isSending;
    private bool hurries;

    /// <summary>Which alert it is, as logs name it: each has its own.</summary>
    public string Name => activity;

    /// <summary>Called with what this alert was told of, or need not be told of any more.</summary>
    public required Action<IReadOnlyList<PendingAlert>> Told { get; init; }

    /// <summary>Nothing is to be sent now: what there is waits for the end of an interval or of a backoff.</summary>
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

    private TimeSpan Elapsed => time.GetElapsedTime(0);

    public void Add(PendingAlert alert)
    {
        lock (gate)
        {
            var name = NameOf(alert);
            if (!groups.TryGetValue(name, out var group))
            {
                groups.Add(name, group = new Group());
            }

            group.Waiting.Add(alert);
        }
    }

    /// <summary>From now on nothing waits for the end of an interval; what failed is tried once more now.</summary>
    public void Hurry()
    {
        lock (gate)
        {
            hurries = true;
            foreach (var group in groups.Values)
            {
                group.NotBefore = default;
            }
        }
    }

    /// <summary>Sends what is to be sent now, and says when to come again.</summary>
    public async Task<DateTimeOffset?> SendDueAsync(CancellationToken stop)
    {
        while (TakeDue() is { } due)
        {
            var told = await TryTellAsync(due, stop);
            if (told)
            {
                Told(due.Waiting);
            }

            Settle(due, told);
        }

        lock (gate)
        {
            if (groups.Count == 0)
            {
                return null;
            }

            var wait = groups.Values.Min(group => group.NotBefore) - Elapsed;
            return time.GetUtcNow() + (wait > TimeSpan.Zero ? wait : TimeSpan.Zero);
        }
    }

    /// <summary>Takes the group that has waited the longest. Its place stays, so that what comes meanwhile waits its time.</summary>
    private Group? TakeDue()
    {
        lock (gate)
        {
            var now = Elapsed;
            foreach (var (name, over) in groups.Where(entry => entry.Value.Waiting.Count == 0 && entry.Value.NotBefore <= now).ToList())
            {
                groups.Remove(name);
            }

            var (key, due) = groups.Where(entry => entry.Value.Waiting.Count > 0 && entry.Value.NotBefore <= now).OrderBy(entry => entry.Value.NotBefore).FirstOrDefault();
            if (due is not null)
            {
                groups[key] = new Group { NotBefore = TimeSpan.MaxValue };
                isSending = true;
            }

            return due;
        }
    }

    private void Settle(Group sent, bool told)
    {
        lock (gate)
        {
            var name = NameOf(sent.Waiting[0]);
            var now = Elapsed;
            var since = groups[name].Waiting;
            groups[name] = told
                ? new Group { Waiting = since, NotBefore = hurries ? now : now + settings.Interval }
                : new Group { Waiting = [.. sent.Waiting, .. since], NotBefore = now + BackoffAfter(sent.Failures), Failures = sent.Failures + 1 };
            isSending = false;
        }
    }

    private (string Subscription, string? EventName) NameOf(PendingAlert alert) => (alert.Subscription, settings.KnowsEvent(alert.EventName) ? alert.EventName : null);

    private async Task<bool> TryTellAsync(Group due, CancellationToken stop)
    {
        var pending = due.Waiting;
        try
        {
            if (await FindFirstAsync(pending, due.Failures, stop) is { } first)
            {
                using var timeout = new CancellationTokenSource(SendTimeout, time);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stop);
                var alert = new DeadLetterAlert(first, [.. pending.Select(alert => alert.Id).Distinct(StringComparer.Ordinal)]) { ServiceName = settings.ServiceName };
                await (sink.NotifyAsync(alert, either.Token) ?? throw new InvalidOperationException("It returned null instead of a task.")).Observed().WaitAsync(either.Token);
            }

            environment.Log.Working(activity);

            return true;
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            environment.Log.Failing(activity, exception, full => full.AlertFailed(sink.GetType(), pending.Count, pending[0].Id, exception));
            return false;
        }
    }

    /// <summary>The first that people still need to be told of. One that the store cannot read holds up the others no longer than a store that is down would: then people are told of what is known.</summary>
    private async Task<DeadLetter?> FindFirstAsync(List<PendingAlert> pending, int failures, CancellationToken stop)
    {
        var unread = new List<(PendingAlert Alert, Exception Error)>();
        foreach (var alert in pending)
        {
            try
            {
                if (await source.FindAsync(alert, stop) is { } letter)
                {
                    return letter;
                }
            }
            catch (Exception exception) when (!stop.IsCancellationRequested && unread.Count + 1 < MostUnread)
            {
                unread.Add((alert, exception));
            }
            catch (Exception) when (!stop.IsCancellationRequested && failures >= FailuresUntilUnread)
            {
                return Unread(alert);
            }
        }

        return unread is [var (first, error), ..] ? failures >= FailuresUntilUnread ? Unread(first) : throw new EventBusException($"The dead letter {first.Id} could not be read.", error) : null;
    }

    private static DeadLetter Unread(PendingAlert alert) => DeadLetterManager.Show(new FailedEvent
    {
        Subscription = alert.Subscription,
        Envelope = new Envelope(new EnvelopeAttributes { Id = alert.Id[(alert.Id.IndexOf('~', StringComparison.Ordinal) + 1)..], Name = alert.EventName }, []),
        Status = FailedEventStatus.Dead,
        Reason = DeadLetterReason.Unstorable,
        Error = "The store cannot read this dead letter.",
        Number = alert.Number,
    });

    private static TimeSpan BackoffAfter(int failures)
    {
        var backoff = FirstBackoff * Math.Pow(2, Math.Min(failures, 20));
        return backoff < LongestBackoff ? backoff : LongestBackoff;
    }

    /// <summary>The alerts of one subscription and event name.</summary>
    private sealed class Group
    {
        public List<PendingAlert> Waiting { get; init; } = [];

        /// <summary>By the time that only counts: alerts are due by it, whatever becomes of the wall clock.</summary>
        public TimeSpan NotBefore { get; set; }

        public int Failures { get; init; }
    }
}
