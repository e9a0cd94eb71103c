using EventBus.Stores;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus;

/// <summary>Keeps failed events until the process ends.</summary>
/// <remarks>Claims have numbers but no expiry: the claiming process is the process that holds the store.</remarks>
internal sealed class InMemoryFailureStore : FailureStore
{
    private readonly Lock gate = new();
    private readonly FailureTable table;
    private readonly OrderKeyTable orders;
    private readonly AttemptCounts starts;

    private readonly StoreCapacity[] rooms;

    /// <param name="capacity">
    /// The maximum number, per subscription, of each of entries, order keys and counted attempts.
    /// </param>
    /// <param name="log">The log for shortages; null for none.</param>
    public InMemoryFailureStore(int capacity, ILogger? log = null)
    {
        log ??= NullLogger.Instance;
        rooms =
        [
            new StoreCapacity("failed and waiting events", "Retry or discard its dead letters", capacity, log),
            new StoreCapacity("order keys", "Use fewer keys", capacity, log),
            new StoreCapacity("counted starts", "Find out why its events are delivered again", capacity, log),
        ];
        orders = new OrderKeyTable(rooms[1]);
        table = new FailureTable(rooms[0], orders);
        starts = new AttemptCounts(rooms[2]);
    }

    public override TimeSpan PollInterval => Timeout.InfiniteTimeSpan;

    public override ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(IsUnsettled(entry) && Store(entry));
        }
    }

    public override ValueTask<AttemptCount?> CountAttemptAsync(string subscription, string eventId, AttemptCount added, DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var id = FailedEvent.MakeId(subscription, eventId);
            return ValueTask.FromResult<AttemptCount?>(table.Find(id) is null ? starts.Count(id, added, now) : null);
        }
    }

    public override ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            starts.Forget(FailedEvent.MakeId(subscription, eventId));
            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (table.FindLine(entry) is not { } line)
            {
                return ValueTask.FromResult(ParkOutcome.NotBlocked);
            }

            // A duplicate of an event that is already in the line, or is being handled, changes nothing.
            var isKept = table.Find(entry.Id) is not null;
            if (!isKept && line.Parked >= limit)
            {
                return ValueTask.FromResult(ParkOutcome.LineFull);
            }

            _ = isKept || Store(entry);
            return ValueTask.FromResult(ParkOutcome.Parked);
        }
    }

    public override ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var due = new List<FailedEntry>();
            DateTimeOffset? next = null;
            foreach (var schedule in subscriptions.Select(table.FindSchedule).OfType<SortedSet<FailedEntry>>())
            {
                var taken = 0;
                foreach (var entry in schedule)
                {
                    if (taken == max || entry.ScheduledAt > now)
                    {
                        next = entry.ScheduledAt >= next ? next : entry.ScheduledAt;
                        break;
                    }

                    due.Add(entry);
                    taken++;
                }
            }

            due.Sort((a, b) => (a.ScheduledAt, a.Order).CompareTo((b.ScheduledAt, b.Order)));
            return ValueTask.FromResult(new DueBatch<FailedEvent>([.. due.Select(table.Claim)], next));
        }
    }

    // No interruption is possible here: a claim ends with its handler, or with the process and all stored data.
    public override ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(table.FindClaimed(entry) is not null);
        }
    }

    public override ValueTask<IReadOnlyList<string>> RenewAsync(IReadOnlyCollection<FailedEvent> claimed, DateTimeOffset until, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult<IReadOnlyList<string>>([.. claimed.Where(entry => table.FindClaimed(entry) is null).Select(entry => entry.Id)]);
        }
    }

    public override ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (table.FindClaimed(entry) is { } claimed)
            {
                table.Remove(claimed);
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<IReadOnlyList<FailedEvent>> ListDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult<IReadOnlyList<FailedEvent>>([.. Matching(filter).SkipWhile(dead => dead.Number >= filter.Before).Take(filter.Take)]);
        }
    }

    public override ValueTask<IReadOnlyList<DeadLetterPlace>> ListDeadPlacesAsync(DeadLetterFilter filter, long after, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult<IReadOnlyList<DeadLetterPlace>>(
                [.. Matching(filter, table.Dead).SkipWhile(dead => dead.Number <= after).TakeWhile(dead => !(dead.Number >= filter.Before)).Take(filter.Take).Select(dead => new DeadLetterPlace(dead.Id, dead.Number))]);
        }
    }

    public override ValueTask<long> MeasureUnreadAsync(string subscription, int above, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            // Only these dead letters hold their original bytes.
            return ValueTask.FromResult(table.Dead.Select(entry => entry.Event)
                .Where(dead => dead.Subscription == subscription && dead.Reason is DeadLetterReason.Unreadable or DeadLetterReason.TooLarge or DeadLetterReason.UnknownEvent)
                .Sum(dead => dead.Envelope.Body.Length is var length && length > above ? (long)length : 0));
        }
    }

    public override ValueTask<FailedEvent?> FindDeadAsync(string id, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(table.FindDead(id)?.Event);
        }
    }

    public override ValueTask<bool> RetryDeadAsync(string id, DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (table.FindDead(id) is not { } entry)
            {
                return ValueTask.FromResult(false);
            }

            var dead = entry.Event;
            if (dead is { Reason: DeadLetterReason.OutOfOrder, OrderKey: { } key, Position: { } position } && orders.IsLowest(entry))
            {
                // The positions missing before it are given up.
                orders.Raise(dead.Subscription, key, position - 1, now);
            }

            table.Replace(entry, dead with { Status = FailedEventStatus.Waiting, Attempts = 0, Deadline = null, DueAt = now, ManualRetries = dead.ManualRetries + 1, NeedsAlert = false });
            return ValueTask.FromResult(true);
        }
    }

    public override ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var entry = table.FindDead(id);
            if (entry is not null)
            {
                table.Remove(entry);
            }

            return ValueTask.FromResult(entry is not null);
        }
    }

    public override ValueTask<long> CountDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(Matching(filter).LongCount());
        }
    }

    public override ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var due = table.Alerts.Where(entry => entry.AlertAt <= now).Take(max).ToList();
            due.ForEach(entry => entry.AlertAt = now + lease);
            return ValueTask.FromResult(new DueBatch<PendingAlert>(
                [.. due.Select(entry => new PendingAlert(entry.Event.Id, entry.Event.Number, entry.Event.Subscription, entry.Event.Envelope.Name))],
                table.Alerts.Count > 0 ? table.Alerts.Min(entry => entry.AlertAt) : null));
        }
    }

    public override ValueTask AlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            foreach (var alert in sent)
            {
                if (table.FindDead(alert.Id) is { } entry && entry.Event.Number == alert.Number)
                {
                    table.Alerts.Remove(entry);
                    entry.Event = entry.Event with { NeedsAlert = false };
                }
            }

            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<OrderState> GetOrderAsync(string subscription, string orderKey, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(orders.StateOf(subscription, orderKey));
        }
    }

    public override ValueTask<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (!IsUnsettled(entry))
            {
                return ValueTask.FromResult(DeferOutcome.Deferred);
            }

            if (orders.StateOf(entry.Subscription, entry.OrderKey!).Stamp != stamp)
            {
                return ValueTask.FromResult(DeferOutcome.Changed);
            }

            // A claimed event that was deferred before is already counted.
            if (orders.CountDeferred(entry) >= limit && table.Find(entry.Id)?.Event.Status != FailedEventStatus.Deferred)
            {
                return ValueTask.FromResult(DeferOutcome.Full);
            }

            Store(entry with { LineKey = null });
            return ValueTask.FromResult(DeferOutcome.Deferred);
        }
    }

    public override ValueTask<bool> AdvanceAsync(string subscription, string orderKey, long? position, DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            orders.Raise(subscription, orderKey, position, now);
            var woken = orders.ToWake(subscription, orderKey);
            foreach (var entry in woken.Where(entry => entry.Event.DueAt > now))
            {
                table.Replace(entry, entry.Event with { DueAt = now });
            }

            return ValueTask.FromResult(woken.Exists(entry => entry.IsScheduled));
        }
    }

    public override ValueTask<int> SweepAsync(SweepLimits limits, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var old = table.Dead.Where(entry => entry.Event.LastFailedAt < limits.DeadBefore).Take(max).ToList();
            old.ForEach(table.Remove);
            starts.Sweep(limits.AttemptsBefore, max);
            orders.Sweep(limits.OrderBefore, max);
            return ValueTask.FromResult(old.Count);
        }
    }

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult((long)table.Count);
        }
    }

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(table.CountDue(now));
        }
    }

    /// <summary>Describes the subscriptions that are short of room.</summary>
    public IReadOnlyCollection<string> Shortages()
    {
        lock (gate)
        {
            return [.. rooms.SelectMany(room => room.Shortages())];
        }
    }

    /// <summary>True if the caller may settle the event: it is not stored yet, or the caller holds its claim.</summary>
    private bool IsUnsettled(FailedEvent entry) => entry.Claim == 0 ? table.Find(entry.Id) is null : table.FindClaimed(entry) is not null;

    private bool Store(FailedEvent entry)
    {
        if (entry.Claim == 0)
        {
            table.Keep(entry);
            starts.Forget(entry.Id);
        }
        else
        {
            table.Replace(table.FindClaimed(entry)!, entry);
        }

        return true;
    }

    /// <summary>Returns the matching dead letters, latest first.</summary>
    private IEnumerable<FailedEvent> Matching(DeadLetterFilter filter) => Matching(filter, table.Dead.Reverse());

    private static IEnumerable<FailedEvent> Matching(DeadLetterFilter filter, IEnumerable<FailedEntry> all) => all.Select(entry => entry.Event).Where(dead =>
        (filter.Subscription is null || filter.Subscription == dead.Subscription)
        && (filter.EventName is null || filter.EventName == dead.Envelope.Name)
        && (filter.EventId is null || filter.EventId == dead.Envelope.Id)
        && (filter.Reason is null || filter.Reason == dead.Reason));
}
