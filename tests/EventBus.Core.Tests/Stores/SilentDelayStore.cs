using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>A store of delayed events that may not answer, even if the tokens of its calls are cancelled.</summary>
internal sealed class SilentDelayStore(DelayStore inner, Func<Task> answering) : DelayStore
{
    public override TimeSpan PollInterval => inner.PollInterval;

    public override async ValueTask AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken cancellationToken)
    {
        await answering();
        await inner.AddAsync(envelope, dueAt, cancellationToken);
    }

    public override ValueTask<DueBatch<Envelope>> ClaimDueAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken) => inner.ClaimDueAsync(now, lease, max, cancellationToken);

    public override ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken) =>
        inner.RemoveAsync(envelope, cancellationToken);

    public override async ValueTask<IReadOnlyList<DelayedEvent>> ListAsync(int max, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.ListAsync(max, cancellationToken);
    }

    public override async ValueTask<bool> CancelAsync(string eventId, CancellationToken cancellationToken)
    {
        await answering();
        return await inner.CancelAsync(eventId, cancellationToken);
    }

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);

    public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        inner.CountDueAsync(now, cancellationToken);
}
