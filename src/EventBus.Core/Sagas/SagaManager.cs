namespace EventBus;

/// <summary>
/// Lists sagas, and resolves those that need attention. For operators; resolve it from the container. Applications use
/// <see cref="ISagas"/>. Thread-safe.
/// </summary>
/// <remarks>
/// A class instead of an interface, so that members can be added. Every method throws an
/// <see cref="EventBusException"/> if the bus is not running. Each call of the store is limited by
/// <see cref="EventBusOptions.PublishTimeout"/> (default 10 s). If the store does not answer in time, the method throws
/// an <see cref="EventBusException"/> too. The outcome is then in doubt, and the call may be repeated.
/// </remarks>
public abstract class SagaManager
{
    /// <summary>Lists sagas, the most recently started first.</summary>
    /// <param name="filter">Selects the sagas and the page; null for the first 100 of all.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <see cref="SagaFilter.Take"/> is not within its limits.
    /// </exception>
    public abstract Task<IReadOnlyList<SagaInfo>> ListAsync(SagaFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>Counts sagas.</summary>
    /// <param name="filter">Selects the sagas; null for all. Its page is ignored.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract Task<long> CountAsync(SagaFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Retries the failed operation of a saga that needs attention, with a full number of retries and the same
    /// idempotency key.
    /// </summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>False if there is no saga with this id that needs attention.</returns>
    public abstract Task<bool> RetryAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>
    /// Continues a saga that needs attention without the failed operation, because it was done in another way or is not
    /// needed.
    /// </summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="reason">The reason; not empty. It is kept in the saga's history and logged.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>False if there is no saga with this id that needs attention.</returns>
    /// <exception cref="EventBusException">
    /// The stored saga cannot be read, or the application has no saga of its name, so the operation to skip is unknown.
    /// Call <see cref="FinishAsync"/> instead.
    /// </exception>
    public abstract Task<bool> SkipAsync(string id, string reason, CancellationToken cancellationToken = default);

    /// <summary>
    /// Ends a saga that needs attention in its current state: nothing more is executed or compensated.
    /// </summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="reason">The reason; not empty. It is kept in the saga's history and logged.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>False if there is no saga with this id that needs attention.</returns>
    public abstract Task<bool> FinishAsync(string id, string reason, CancellationToken cancellationToken = default);
}
