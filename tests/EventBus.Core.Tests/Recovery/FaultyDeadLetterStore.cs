using EventBus.Stores;

namespace EventBus;

/// <summary>The dead letters of a <see cref="FaultyStore"/>.</summary>
internal sealed class FaultyDeadLetterStore(DeadLetterStore inner, Action<string, string> before) : DelegatingDeadLetterStore(inner)
{
    public override ValueTask<FailedEvent?> FindAsync(string id, CancellationToken cancellationToken)
    {
        before("find", id);
        return base.FindAsync(id, cancellationToken);
    }

    public override ValueTask<bool> RetryAsync(string id, DateTimeOffset now, CancellationToken cancellationToken)
    {
        before("revive", id);
        return base.RetryAsync(id, now, cancellationToken);
    }

    public override ValueTask<long> CountAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        before("count dead", "");
        return base.CountAsync(filter, cancellationToken);
    }

    public override ValueTask MarkAlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken)
    {
        foreach (var alert in sent)
        {
            before("alerted", alert.Id);
        }

        return base.MarkAlertedAsync(sent, cancellationToken);
    }
}
