using EventBus.Stores;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus;

/// <summary>Keeps failed events until the process ends.</summary>
/// <remarks>Claims have numbers but no expiry: the claiming process is the process that holds the store.</remarks>
internal sealed class InMemoryFailureStore : KeyedFailureStore
{
    private readonly Lock gate = new();
    private readonly FailureTable table;
    private readonly OrderKeyTable orders;
    private readonly AttemptCounts attempts;
    private readonly StoreCapacity[] limits;

    /// <summary>Creates an empty store.</summary>
    /// <param name="capacity">
    /// The maximum number, per subscription, of each of entries, order keys and counted attempts.
    /// </param>
    /// <param name="log">The log for shortages; null for none.</param>
    public InMemoryFailureStore(int capacity, ILogger? log = null)
    {
        log ??= NullLogger.Instance;
        var entryLimit = new StoreCapacity("failed and waiting events", "Retry or discard its dead letters", capacity, log);
        var orderKeyLimit = new StoreCapacity("order keys", "Use fewer keys", capacity, log);
        var attemptLimit = new StoreCapacity("attempt counts", "Find out why its events are delivered again", capacity, log);
        limits = [entryLimit, orderKeyLimit, attemptLimit];
        orders = new OrderKeyTable(orderKeyLimit);
        table = new FailureTable(entryLimit, orders);
        attempts = new AttemptCounts(attemptLimit);
        DeadLetters = new InMemoryDeadLetterStore(gate, table, orders);
    }

    public override DeadLetterStore DeadLetters { get; }

    public override TimeSpan PollInterval => Timeout.InfiniteTimeSpan;

    public override ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (!MayStore(entry))
            {
                return ValueTask.FromResult(false);
            }

            Store(entry);
            return ValueTask.FromResult(true);
        }
    }

    public override ValueTask<AttemptCount?> CountAttemptAsync(
        string subscription,
        string eventId,
        AttemptCount added,
        DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var id = FailedEvent.MakeId(subscription, eventId);
            return ValueTask.FromResult<AttemptCount?>(table.Find(id) is null ? attempts.Add(id, added, now) : null);
        }
    }

    public override ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            attempts.Forget(FailedEvent.MakeId(subscription, eventId));
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
            if (table.Find(entry.Id) is not null)
            {
                return ValueTask.FromResult(ParkOutcome.Parked);
            }

            if (line.ParkedCount >= limit)
            {
                return ValueTask.FromResult(ParkOutcome.LineFull);
            }

            Store(entry);
            return ValueTask.FromResult(ParkOutcome.Parked);
        }
    }

    public override ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(
        IReadOnlyCollection<string> subscriptions,
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
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
                        // The schedule is sorted, so this is its earliest entry that is left.
                        if (next is null || entry.ScheduledAt < next)
                        {
                            next = entry.ScheduledAt;
                        }

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

    public override ValueTask<IReadOnlyList<string>> RenewAsync(
        IReadOnlyCollection<FailedEvent> claimed,
        DateTimeOffset until,
        CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult<IReadOnlyList<string>>(
                [.. claimed.Where(entry => table.FindClaimed(entry) is null).Select(entry => entry.Id)]);
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

    public override ValueTask<(long Stamp, long? Position)> GetOrderAsync(
        string subscription, string orderKey, CancellationToken cancellationToken)
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
            if (!MayStore(entry))
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

    public override ValueTask<bool> AdvanceAsync(
        string subscription,
        string orderKey,
        long? position,
        DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        lock (gate)
        {
            orders.Raise(subscription, orderKey, position, now);
            var woken = orders.DeferredToCheck(subscription, orderKey);
            foreach (var entry in woken.Where(entry => entry.Event.DueAt > now))
            {
                table.Replace(entry, entry.Event with { DueAt = now });
            }

            return ValueTask.FromResult(woken.Exists(entry => entry.IsScheduled));
        }
    }

    public override ValueTask SweepAsync(
        DateTimeOffset attemptsBefore,
        DateTimeOffset orderBefore,
        int max,
        CancellationToken cancellationToken)
    {
        lock (gate)
        {
            attempts.Sweep(attemptsBefore, max);
            orders.Sweep(orderBefore, max);
            return ValueTask.CompletedTask;
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
            return [.. limits.SelectMany(limit => limit.Shortages())];
        }
    }

    /// <summary>
    /// True if the caller may store the event: without a claim, if it is not stored yet; with a claim, while the claim
    /// is valid.
    /// </summary>
    private bool MayStore(FailedEvent entry) => entry.Claim == 0 ? table.Find(entry.Id) is null : table.FindClaimed(entry) is not null;

    /// <summary>Adds a new event, or replaces a claimed entry and ends its claim.</summary>
    private void Store(FailedEvent entry)
    {
        if (entry.Claim == 0)
        {
            table.Add(entry);
            attempts.Forget(entry.Id);
        }
        else
        {
            table.Replace(table.FindClaimed(entry)!, entry);
        }
    }
}
