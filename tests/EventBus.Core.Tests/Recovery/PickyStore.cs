using EventBus.Stores;

namespace EventBus;

/// <summary>The in-memory store, which throws where a test wants it to.</summary>
internal sealed class PickyStore : FailureStore
{
    private readonly InMemoryFailureStore inner = new(1_000);

    /// <summary>False for a store like the queues of a broker.</summary>
    public bool Keyed { get; init; } = true;

    public override bool IsKeyed => Keyed;

    /// <summary>Called with the step and the id of each entry that it concerns, before the step. What it throws is what the step throws.</summary>
    public Action<string, string> Before { get; set; } = (_, _) => { };

    /// <summary>Called with what is to be kept, before the step.</summary>
    public Action<FailedEvent> BeforeKeeping { get; set; } = _ => { };

    /// <summary>Answers in place of the store what is to be kept; null for none.</summary>
    public Func<FailedEvent, ValueTask<bool>>? Keep { get; set; }

    public override ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken)
    {
        Keeping("record", entry);
        return Keep?.Invoke(entry) ?? inner.RecordAsync(entry, cancellationToken);
    }

    public override ValueTask<AttemptCount?> CountAttemptAsync(string subscription, string eventId, AttemptCount added, DateTimeOffset now, CancellationToken cancellationToken)
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

    public override ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken)
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

    public override ValueTask<IReadOnlyList<string>> RenewAsync(IReadOnlyCollection<FailedEvent> claimed, DateTimeOffset until, CancellationToken cancellationToken)
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

    public override ValueTask<IReadOnlyList<FailedEvent>> ListDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken) => inner.ListDeadAsync(filter, cancellationToken);

    public override ValueTask<IReadOnlyList<DeadLetterPlace>> ListDeadPlacesAsync(DeadLetterFilter filter, long after, CancellationToken cancellationToken) => inner.ListDeadPlacesAsync(filter, after, cancellationToken);

    public override ValueTask<long> MeasureUnreadAsync(string subscription, int above, CancellationToken cancellationToken) => inner.MeasureUnreadAsync(subscription, above, cancellationToken);

    public override ValueTask<FailedEvent?> FindDeadAsync(string id, CancellationToken cancellationToken)
    {
        Before("find", id);
        return inner.FindDeadAsync(id, cancellationToken);
    }

    public override ValueTask<bool> RetryDeadAsync(string id, DateTimeOffset now, CancellationToken cancellationToken)
    {
        Before("revive", id);
        return inner.RetryDeadAsync(id, now, cancellationToken);
    }

    public override ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken) => inner.DiscardAsync(id, cancellationToken);

    public override ValueTask<long> CountDeadAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        Before("count dead", "");
        return inner.CountDeadAsync(filter, cancellationToken);
    }

    public override ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken) => inner.ClaimAlertsAsync(now, lease, max, cancellationToken);

    public override ValueTask AlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken)
    {
        foreach (var alert in sent)
        {
            Before("alerted", alert.Id);
        }

        return inner.AlertedAsync(sent, cancellationToken);
    }

    public override ValueTask<OrderState> GetOrderAsync(string subscription, string orderKey, CancellationToken cancellationToken)
    {
        Before("order", orderKey);
        return inner.GetOrderAsync(subscription, orderKey, cancellationToken);
    }

    public override ValueTask<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, CancellationToken cancellationToken)
    {
        Keeping("defer", entry);
        return inner.DeferAsync(entry, stamp, limit, cancellationToken);
    }

    public override ValueTask<bool> AdvanceAsync(string subscription, string orderKey, long? position, DateTimeOffset now, CancellationToken cancellationToken)
    {
        Before("advance", orderKey);
        return inner.AdvanceAsync(subscription, orderKey, position, now, cancellationToken);
    }

    public override ValueTask<int> SweepAsync(SweepLimits limits, int max, CancellationToken cancellationToken)
    {
        Before("sweep", "");
        return inner.SweepAsync(limits, max, cancellationToken);
    }

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) => inner.CountDueAsync(now, cancellationToken);

    private void Keeping(string step, FailedEvent entry)
    {
        Before(step, entry.Id);
        BeforeKeeping(entry);
    }
}
