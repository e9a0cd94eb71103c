using EventBus.Stores;

namespace EventBus;

/// <summary>The in-memory store, which throws in the steps that a test chooses.</summary>
internal sealed class FaultyStore : DelegatingFailureStore
{
    private readonly InMemoryFailureStore inner;

    public FaultyStore()
        : this(new InMemoryFailureStore(1_000))
    {
    }

    private FaultyStore(InMemoryFailureStore inner)
        : base(inner)
    {
        this.inner = inner;
        DeadLetters = new FaultyDeadLetterStore(inner.DeadLetters, (step, id) => Before(step, id));
    }

    public override DeadLetterStore DeadLetters { get; }

    /// <summary>
    /// Called before a step with its name and the id of each entry that it concerns. An exception becomes the failure
    /// of the step.
    /// </summary>
    public Action<string, string> Before { get; set; } = (_, _) => { };

    /// <summary>Called with an entry before it is stored.</summary>
    public Action<FailedEvent> BeforeRecording { get; set; } = _ => { };

    /// <summary>Answers in place of the store when an entry is to be stored. Default null.</summary>
    public Func<FailedEvent, ValueTask<bool>>? Keep { get; set; }

    public override ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        Keeping("record", entry);
        return Keep?.Invoke(entry) ?? inner.RecordAsync(entry, cancellationToken);
    }

    public override ValueTask<AttemptCount?> CountAttemptAsync(
        string subscription,
        string eventId,
        AttemptCount added,
        DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        Before("count", FailedEvent.MakeId(subscription, eventId));
        return inner.CountAttemptAsync(subscription, eventId, added, now, cancellationToken);
    }

    public override ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken)
    {
        Before("forget", FailedEvent.MakeId(subscription, eventId));
        return inner.ForgetAttemptsAsync(subscription, eventId, cancellationToken);
    }

    public override ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken)
    {
        Keeping("park", entry);
        return inner.TryParkAsync(entry, limit, cancellationToken);
    }

    public override ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(
        IReadOnlyCollection<string> subscriptions,
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
    {
        foreach (var subscription in subscriptions)
        {
            Before("claim", subscription);
        }

        return inner.ClaimDueAsync(subscriptions, now, lease, max, cancellationToken);
    }

    public override ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        Before("begin", entry.Id);
        return inner.BeginAsync(entry, cancellationToken);
    }

    public override ValueTask<IReadOnlyList<string>> RenewAsync(
        IReadOnlyCollection<FailedEvent> claimed,
        DateTimeOffset until,
        CancellationToken cancellationToken)
    {
        foreach (var entry in claimed)
        {
            Before("renew", entry.Id);
        }

        return inner.RenewAsync(claimed, until, cancellationToken);
    }

    public override ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        Before("complete", entry.Id);
        return inner.CompleteAsync(entry, cancellationToken);
    }

    public override ValueTask<(long Stamp, long? Position)> GetOrderAsync(
        string subscription, string orderKey, CancellationToken cancellationToken)
    {
        Before("order", orderKey);
        return inner.GetOrderAsync(subscription, orderKey, cancellationToken);
    }

    public override ValueTask<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, CancellationToken cancellationToken)
    {
        Keeping("defer", entry);
        return inner.DeferAsync(entry, stamp, limit, cancellationToken);
    }

    public override ValueTask<bool> AdvanceAsync(
        string subscription,
        string orderKey,
        long? position,
        DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        Before("advance", orderKey);
        return inner.AdvanceAsync(subscription, orderKey, position, now, cancellationToken);
    }

    public override ValueTask SweepAsync(
        DateTimeOffset attemptsBefore,
        DateTimeOffset orderBefore,
        int max,
        CancellationToken cancellationToken)
    {
        Before("sweep", "");
        return inner.SweepAsync(attemptsBefore, orderBefore, max, cancellationToken);
    }

    private void Keeping(string step, FailedEvent entry)
    {
        Before(step, entry.Id);
        BeforeRecording(entry);
    }
}
