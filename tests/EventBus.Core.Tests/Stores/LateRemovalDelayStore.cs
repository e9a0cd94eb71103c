using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>
/// A store of delayed events that removes an event only after it was asked again for the number of due events.
/// </summary>
internal sealed class LateRemovalDelayStore : DelayStore
{
    private readonly InMemoryDelayStore inner = new(100);
    private readonly TaskCompletionSource counted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool isRemoving;

    public override TimeSpan PollInterval => inner.PollInterval;

    public override ValueTask AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken cancellationToken) =>
        inner.AddAsync(envelope, dueAt, cancellationToken);

    public override ValueTask<DueBatch<Envelope>> ClaimDueAsync(
        DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken) =>
        inner.ClaimDueAsync(now, lease, max, cancellationToken);

    public override async ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken)
    {
        isRemoving = true;
        await counted.Task.WaitAsync(cancellationToken);
        await inner.RemoveAsync(envelope, cancellationToken);
    }

    public override ValueTask<IReadOnlyList<DelayedEvent>> ListAsync(int max, CancellationToken cancellationToken) =>
        inner.ListAsync(max, cancellationToken);

    public override ValueTask<bool> CancelAsync(string eventId, CancellationToken cancellationToken) =>
        inner.CancelAsync(eventId, cancellationToken);

    public override async ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        var due = await inner.CountDueAsync(now, cancellationToken);
        if (isRemoving)
        {
            counted.TrySetResult();
        }

        return due;
    }

    public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);
}
