namespace EventBus.Stores;

/// <summary>Keeps sagas. Thread-safe, and shared by all instances of an application where it is durable.</summary>
/// <remarks>
/// <para>Every change is a compare-and-swap on <see cref="SagaEntry.Version"/>: a writer that has not seen the latest state changes nothing. Leases, claims, timers and replies are built on that by the bus, and are no
/// business of the store, which finds entries by their times and keys.</para>
/// <para>A call is one atomic step: it has happened completely once it returns. A call that throws may have happened, and is tried again by the bus with the same arguments.</para>
/// <para>Reading never throws because of what is stored: an entry that cannot be read comes with <see cref="SagaEntry.Defect"/>, and never hides the rest.</para>
/// </remarks>
public abstract class SagaStore
{
    /// <summary>How often to look for sagas that other instances left. Default 1 s; infinite where there are no others.</summary>
    public virtual TimeSpan PollInterval => TimeSpan.FromSeconds(1);

    /// <summary>Keeps a new saga, with the version 1 and a <see cref="SagaEntry.Number"/> of its own. False, and nothing is changed, when the id is kept already, whatever became of that saga.</summary>
    /// <param name="entry">The saga.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="InvalidOperationException">The store certainly did not take it: it is full, or withdrew the call before its turn.</exception>
    public abstract ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken);

    /// <summary>Finds a saga; null when there is none with this id.</summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken);

    /// <summary>Replaces a saga whose version is still <see cref="SagaEntry.Version"/>, and raises the version by one. Its id, name, number and start never change. False, and nothing is changed, when somebody else was quicker or it is gone.</summary>
    /// <param name="entry">The saga as it is to be, with the version that the caller saw.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken);

    /// <summary>Lists sagas whose <see cref="SagaEntry.DueAt"/> has come, the longest due first, and of those that are due at the same time the first started. Nothing is changed: whoever wants one saves it with a later time.</summary>
    /// <param name="sagas">The names of the sagas that the caller can run. What is due for others is left alone, and does not count for the next time.</param>
    /// <param name="now">The time.</param>
    /// <param name="max">How many at most.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The due sagas; and when the first of these sagas that is not among them becomes due, null for never.</returns>
    public abstract ValueTask<DueBatch<SagaEntry>> ListDueAsync(IReadOnlyCollection<string> sagas, DateTimeOffset now, int max, CancellationToken cancellationToken);

    /// <summary>Lists sagas whose <see cref="SagaEntry.AlertAt"/> has come, the oldest first, whatever their names. Nothing is changed.</summary>
    /// <param name="now">The time.</param>
    /// <param name="max">How many at most.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<DueBatch<SagaEntry>> ListAlertsAsync(DateTimeOffset now, int max, CancellationToken cancellationToken);

    /// <summary>The ids of the sagas whose <see cref="SagaEntry.WaitKey"/> is the given one, in the order of their numbers.</summary>
    /// <param name="waitKey">The key, exactly.</param>
    /// <param name="max">How many at most.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<IReadOnlyList<string>> FindWaitingAsync(string waitKey, int max, CancellationToken cancellationToken);

    /// <summary>Lists sagas, the latest started first.</summary>
    /// <param name="filter">Which ones, and which page.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<IReadOnlyList<SagaEntry>> ListAsync(SagaFilter filter, CancellationToken cancellationToken);

    /// <summary>How many sagas match.</summary>
    /// <param name="filter">Which ones; its paging is ignored.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<long> CountAsync(SagaFilter filter, CancellationToken cancellationToken);

    /// <summary>Removes sagas whose <see cref="SagaEntry.KeepUntil"/> has passed.</summary>
    /// <param name="now">The time.</param>
    /// <param name="max">How many at most.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>How many were removed.</returns>
    public abstract ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken);
}
