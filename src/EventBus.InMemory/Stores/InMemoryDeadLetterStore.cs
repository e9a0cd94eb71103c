using EventBus.Stores;

namespace EventBus;

/// <summary>Provides access to the dead letters in the table of failed events. Thread-safe.</summary>
/// <param name="gate">The lock of the table.</param>
/// <param name="table">The table.</param>
/// <param name="orders">The keys of guarded subscriptions.</param>
internal sealed class InMemoryDeadLetterStore(Lock gate, FailureTable table, OrderKeyTable orders) : DeadLetterStore
{
    public override ValueTask<IReadOnlyList<FailedEvent>> ListAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            // Without filter.Before, the comparison is false, and nothing is skipped.
            return ValueTask.FromResult<IReadOnlyList<FailedEvent>>(
                [.. Matching(filter).SkipWhile(dead => dead.Number >= filter.Before).Take(filter.Take)]);
        }
    }

    public override ValueTask<IReadOnlyList<(string Id, long Number)>> ListIdsAsync(
        DeadLetterFilter filter,
        long after,
        CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult<IReadOnlyList<(string Id, long Number)>>(
                [.. Matching(filter, table.Index.Dead)
                    .SkipWhile(dead => dead.Number <= after)
                    .TakeWhile(dead => filter.Before is null || dead.Number < filter.Before)
                    .Take(filter.Take)
                    .Select(dead => (dead.Id, dead.Number))]);
        }
    }

    public override ValueTask<int> SweepAsync(DateTimeOffset before, int max, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var old = table.Index.Dead.Where(entry => entry.Event.LastFailedAt < before).Take(max).ToList();
            old.ForEach(table.Remove);
            return ValueTask.FromResult(old.Count);
        }
    }

    public override ValueTask<long> MeasureUnreadableAsync(string subscription, int above, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            // Only dead letters with these reasons hold bytes that could not be read.
            return ValueTask.FromResult(table.Index.Dead.Select(entry => entry.Event)
                .Where(dead => dead.Subscription == subscription
                    && dead.Reason is DeadLetterReason.Unreadable or DeadLetterReason.TooLarge or DeadLetterReason.UnknownEvent)
                .Select(dead => (long)dead.Envelope.Body.Length)
                .Where(length => length > above)
                .Sum());
        }
    }

    public override ValueTask<FailedEvent?> FindAsync(string id, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(table.FindDead(id)?.Event);
        }
    }

    public override ValueTask<bool> RetryAsync(string id, DateTimeOffset now, CancellationToken cancellationToken)
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
                // The sequence continues without the positions that are missing before this entry.
                orders.Raise(dead.Subscription, key, position - 1, now);
            }

            table.Replace(entry, dead with
            {
                Status = FailedEventStatus.Waiting,
                Attempts = 0,
                Deadline = null,
                DueAt = now,
                ManualRetries = dead.ManualRetries + 1,
                NeedsAlert = false
            });
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

    public override ValueTask<long> CountAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(Matching(filter).LongCount());
        }
    }

    public override ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var due = table.Index.Alerts.Where(entry => entry.AlertAt <= now).Take(max).ToList();
            due.ForEach(entry => entry.AlertAt = now + lease);
            var claimed = due.Select(entry => entry.Event)
                .Select(dead => new PendingAlert(dead.Id, dead.Number, dead.Subscription, dead.Envelope.Name));
            DateTimeOffset? nextDue = table.Index.Alerts.Count > 0 ? table.Index.Alerts.Min(entry => entry.AlertAt) : null;
            return ValueTask.FromResult(new DueBatch<PendingAlert>([.. claimed], nextDue));
        }
    }

    public override ValueTask MarkAlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            foreach (var alert in sent)
            {
                if (table.FindDead(alert.Id) is { } entry && entry.Event.Number == alert.Number)
                {
                    table.Index.Alerts.Remove(entry);
                    entry.Event = entry.Event with { NeedsAlert = false };
                }
            }

            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Returns the matching dead letters, latest first.</summary>
    private IEnumerable<FailedEvent> Matching(DeadLetterFilter filter) => Matching(filter, table.Index.Dead.Reverse());

    private static IEnumerable<FailedEvent> Matching(DeadLetterFilter filter, IEnumerable<FailedEntry> entries) =>
        entries.Select(entry => entry.Event).Where(dead =>
            (filter.Subscription is null || filter.Subscription == dead.Subscription)
            && (filter.EventName is null || filter.EventName == dead.Envelope.Name)
            && (filter.EventId is null || filter.EventId == dead.Envelope.Id)
            && (filter.Reason is null || filter.Reason == dead.Reason));
}
