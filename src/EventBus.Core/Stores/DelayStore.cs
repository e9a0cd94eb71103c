using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>Keeps events until the time has come to publish them. Thread-safe.</summary>
public abstract class DelayStore
{
    /// <summary>How often to look for entries that other instances added. Default 1 s; infinite where there are no others.</summary>
    public virtual TimeSpan PollInterval => TimeSpan.FromSeconds(1);

    /// <summary>Keeps an event. Keeping the same id again changes nothing. A store that certainly did not take it, because it is full or withdrew the call before its turn, throws <see cref="InvalidOperationException"/>.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="dueAt">When to publish it.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken cancellationToken);

    /// <summary>Takes entries that are due, for the length of the lease: an entry that is not removed by then is due again.</summary>
    /// <param name="now">The time.</param>
    /// <param name="lease">How long the caller may need.</param>
    /// <param name="max">How many at most.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<DueBatch<Envelope>> ClaimDueAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken);

    /// <summary>Removes an entry that was published.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken);

    /// <summary>How many entries it holds.</summary>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<long> CountAsync(CancellationToken cancellationToken);

    /// <summary>How many entries are due at a time, claimed ones included. Used for waiting until a bus is idle.</summary>
    /// <param name="now">The time.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken);
}
