namespace EventBus.Stores;

/// <summary>Stores sagas. Thread-safe. A durable store is shared by all instances of an application.</summary>
/// <remarks>
/// <para>
/// Every change is a compare-and-swap on <see cref="SagaEntry.Version"/>: a writer that has not read the latest version
/// changes nothing. The bus builds leases, claims, timers and replies on this. The store only finds entries by their
/// times and keys.
/// </para>
/// <para>
/// Each call is one atomic operation, which is complete when the call returns. A call that throws may have taken
/// effect; the bus retries it with the same arguments.
/// </para>
/// <para>
/// Reads never throw because of stored data. An entry that cannot be read is returned with a
/// <see cref="SagaEntry.Defect"/>, and other entries are still returned.
/// </para>
/// </remarks>
public abstract class SagaStore
{
    /// <summary>
    /// The interval for polling for sagas that other instances no longer run. Default 1 s; infinite if there are no
    /// other instances.
    /// </summary>
    public virtual TimeSpan PollInterval => TimeSpan.FromSeconds(1);

    /// <summary>
    /// Stores a new saga, with the version 1 and its own <see cref="SagaEntry.Number"/>. Returns false, without any
    /// change, if there is already a saga with this id, whatever its status.
    /// </summary>
    /// <param name="entry">The saga.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="InvalidOperationException">
    /// The store certainly did not accept the saga: it is full, or cancelled the call before it began.
    /// </exception>
    public abstract ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken);

    /// <summary>Finds a saga; null if there is none with this id.</summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken);

    /// <summary>
    /// Replaces a saga whose version still equals <see cref="SagaEntry.Version"/>, and increases the version by one.
    /// The id, name, number and start time never change. Returns false, without any change, if the saga was changed or
    /// removed by another caller.
    /// </summary>
    /// <param name="entry">The saga with its new values, and with the version that the caller read.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken);

    /// <summary>
    /// Lists sagas whose <see cref="SagaEntry.DueAt"/> has passed, earliest due time first; among equal due times,
    /// earliest start first. Changes nothing: a caller claims a saga by saving it with a later due time.
    /// </summary>
    /// <param name="sagas">
    /// The names of the saga definitions that the caller can run. Other sagas are not listed, and do not affect the
    /// returned next due time.
    /// </param>
    /// <param name="now">The current time.</param>
    /// <param name="max">The maximum number of sagas.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>
    /// The due sagas, and the due time of the first of these sagas that is not among them; null for none.
    /// </returns>
    public abstract ValueTask<DueBatch<SagaEntry>> ListDueAsync(
        IReadOnlyCollection<string> sagas,
        DateTimeOffset now,
        int max,
        CancellationToken cancellationToken);

    /// <summary>
    /// Lists sagas whose <see cref="SagaEntry.AlertAt"/> has passed, oldest first, whatever their names. Changes
    /// nothing.
    /// </summary>
    /// <param name="now">The current time.</param>
    /// <param name="max">The maximum number of sagas.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<DueBatch<SagaEntry>> ListAlertsAsync(DateTimeOffset now, int max, CancellationToken cancellationToken);

    /// <summary>
    /// Returns the ids of the sagas with a given <see cref="SagaEntry.WaitKey"/>, in the order of their numbers.
    /// </summary>
    /// <param name="waitKey">The key, compared exactly.</param>
    /// <param name="max">The maximum number of ids.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<IReadOnlyList<string>> FindWaitingAsync(string waitKey, int max, CancellationToken cancellationToken);

    /// <summary>Lists the sagas that match, latest start first.</summary>
    /// <param name="filter">The filter and the page.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<IReadOnlyList<SagaEntry>> ListAsync(SagaFilter filter, CancellationToken cancellationToken);

    /// <summary>Returns the number of sagas that match.</summary>
    /// <param name="filter">The filter; its paging is ignored.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<long> CountAsync(SagaFilter filter, CancellationToken cancellationToken);

    /// <summary>Removes sagas whose <see cref="SagaEntry.KeepUntil"/> has passed.</summary>
    /// <param name="now">The current time.</param>
    /// <param name="max">The maximum number of sagas.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The number of sagas that were removed.</returns>
    public abstract ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken);
}
