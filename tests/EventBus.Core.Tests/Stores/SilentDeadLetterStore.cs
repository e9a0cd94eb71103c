namespace EventBus.Stores;

/// <summary>A dead-letter store that may not answer operator calls, even if their tokens are cancelled.</summary>
internal sealed class SilentDeadLetterStore(DeadLetterStore inner, Func<Task> answering) : DelegatingDeadLetterStore(inner)
{
    public override async ValueTask<IReadOnlyList<FailedEvent>> ListAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        await answering();
        return await base.ListAsync(filter, cancellationToken);
    }

    public override async ValueTask<IReadOnlyList<(string Id, long Number)>> ListIdsAsync(
        DeadLetterFilter filter,
        long after,
        CancellationToken cancellationToken)
    {
        await answering();
        return await base.ListIdsAsync(filter, after, cancellationToken);
    }

    public override async ValueTask<FailedEvent?> FindAsync(string id, CancellationToken cancellationToken)
    {
        await answering();
        return await base.FindAsync(id, cancellationToken);
    }

    public override async ValueTask<bool> RetryAsync(string id, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await answering();
        return await base.RetryAsync(id, now, cancellationToken);
    }

    public override async ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken)
    {
        await answering();
        return await base.DiscardAsync(id, cancellationToken);
    }

    public override async ValueTask<long> CountAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        await answering();
        return await base.CountAsync(filter, cancellationToken);
    }
}
