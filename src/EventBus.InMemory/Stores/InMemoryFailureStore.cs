using EventBus.Stores;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus;

/// <summary>Keeps failed events until the process ends.</summary>
/// <remarks>Claims have numbers but no expiry: the claiming process is the process that holds the store.</remarks>
internal sealed class InMemoryFailureStore : KeyedFailureStore
{
    private readonly Lock gate = new();
    private readonly FailureTables tables;
    private readonly FailureOperations operations;
    private readonly bool roundTrip;

    /// <summary>Creates an empty store.</summary>
    /// <param name="capacity">The maximum number of entries, order keys and attempt counts per subscription.</param>
    /// <param name="log">The log for shortages; null for none.</param>
    /// <param name="roundTrip">True if each retry reads the event from its bytes, as from a durable store.</param>
    public InMemoryFailureStore(int capacity, ILogger? log = null, bool roundTrip = false)
    {
        this.roundTrip = roundTrip;
        tables = new FailureTables(capacity, log ?? NullLogger.Instance);
        operations = new FailureOperations(tables);
        DeadLetters = new InMemoryDeadLetterStore(gate, tables.Entries, tables.Orders);
    }

    public override DeadLetterStore DeadLetters { get; }

    public override TimeSpan PollInterval => Timeout.InfiniteTimeSpan;

    public override ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(operations.TryRecord(entry));
        }
    }

    public override ValueTask<AttemptCount?> CountAttemptAsync(
        string subscription, string eventId, AttemptCount added, DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(operations.CountAttempt(FailedEvent.MakeId(subscription, eventId), added, now));
        }
    }

    public override ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            tables.Attempts.Forget(FailedEvent.MakeId(subscription, eventId));
            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(operations.Park(entry, limit));
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
            var due = tables.Entries.ClaimDue(subscriptions, now, max);
            return ValueTask.FromResult(roundTrip
                ? due with { Entries = [.. due.Entries.Select(entry => entry with { Envelope = EnvelopeCopy.Of(entry.Envelope) })] }
                : due);
        }
    }

    // No interruption is possible here: a claim ends with its handler, or with the process and all stored data.
    public override ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(tables.Entries.FindClaimed(entry) is not null);
        }
    }

    public override ValueTask<IReadOnlyList<string>> RenewAsync(
        IReadOnlyCollection<FailedEvent> claimed, DateTimeOffset until, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult<IReadOnlyList<string>>(
                [.. claimed.Where(entry => tables.Entries.FindClaimed(entry) is null).Select(entry => entry.Id)]);
        }
    }

    public override ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            operations.Complete(entry);
            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<(long Stamp, long? Position)> GetOrderAsync(
        string subscription, string orderKey, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(tables.Orders.StateOf(subscription, orderKey));
        }
    }

    public override ValueTask<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(operations.Defer(entry, stamp, limit));
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
            return ValueTask.FromResult(operations.Advance(subscription, orderKey, position, now));
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
            tables.Attempts.Sweep(attemptsBefore, max);
            tables.Orders.Sweep(orderBefore, max);
            return ValueTask.CompletedTask;
        }
    }

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult((long)tables.Entries.Count);
        }
    }

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult(tables.Entries.Index.CountDue(now));
        }
    }

    public override ValueTask<IReadOnlyList<FailureCounts>?> CountByStateAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return ValueTask.FromResult<IReadOnlyList<FailureCounts>?>(tables.Entries.Index.CountByState());
        }
    }

    /// <summary>Describes the subscriptions that are short of room.</summary>
    public IReadOnlyCollection<string> Shortages()
    {
        lock (gate)
        {
            return tables.Shortages();
        }
    }
}
