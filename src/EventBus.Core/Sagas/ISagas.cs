namespace EventBus;

/// <summary>Starts sagas, and shows people those that were started. Resolve it from the container. Thread-safe.</summary>
/// <remarks>The type of the state says which saga is meant: an application has one saga for each (<c>bus.AddSaga&lt;TSaga, TState&gt;()</c>).
/// The store has <see cref="EventBusOptions.PublishTimeout"/> (10 s by default) to answer a call; when it does not, the call ends with an <see cref="EventBusException"/>. What it was asked to do is in doubt then, and may be asked again. <see cref="RunAsync"/> and
/// <see cref="WaitAsync"/> wait for the end of the saga without limit, and for each answer of the store as long as the others.</remarks>
public interface ISagas
{
    /// <summary>Starts a saga and returns its id once it is kept in the store: from then on it comes to its end, on whichever instance.</summary>
    /// <param name="state">The state that it begins with.</param>
    /// <param name="id">The saga's id: 1 to 100 letters, digits and any of <c>- _ . : ~</c>. Starting the same id again changes nothing, also after it has ended, until it is forgotten (<see cref="SagaOptions.Retention"/>). Default: a new id.</param>
    /// <param name="cancellationToken">Ends the waiting only: the saga may have been started.</param>
    /// <typeparam name="TState">The type of the state.</typeparam>
    /// <exception cref="ArgumentException">The id is not allowed, no saga has this type of state, or a saga of another name has the id.</exception>
    /// <exception cref="EventBusException">The bus is not running, or the store did not take the saga; the message says whether it may have been started.</exception>
    Task<string> StartAsync<TState>(TState state, string? id = null, CancellationToken cancellationToken = default)
        where TState : notnull;

    /// <summary>Starts a saga, or finds the one that has the id already, and waits until it has ended or needs people.</summary>
    /// <remarks>Waiting holds nothing: the saga goes on when the caller gives up, or the process ends. <see cref="WaitAsync"/> waits again.</remarks>
    /// <param name="state">The state that it begins with.</param>
    /// <param name="id">The saga's id, as for <see cref="StartAsync"/>.</param>
    /// <param name="cancellationToken">Ends the waiting only.</param>
    /// <typeparam name="TState">The type of the state.</typeparam>
    /// <exception cref="ArgumentException">As for <see cref="StartAsync"/>.</exception>
    /// <exception cref="EventBusException">As for <see cref="StartAsync"/>; or the bus stopped before the saga had ended.</exception>
    Task<SagaResult<TState>> RunAsync<TState>(TState state, string? id = null, CancellationToken cancellationToken = default)
        where TState : notnull;

    /// <summary>Waits until a saga has ended or needs people.</summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="cancellationToken">Ends the waiting only.</param>
    /// <typeparam name="TState">The type of its state.</typeparam>
    /// <exception cref="ArgumentException">There is no saga with this id, or its state is of another type.</exception>
    /// <exception cref="EventBusException">The bus is not running, or stopped before the saga had ended.</exception>
    Task<SagaResult<TState>> WaitAsync<TState>(string id, CancellationToken cancellationToken = default)
        where TState : notnull;

    /// <summary>Lists sagas, the latest started first.</summary>
    /// <param name="filter">Which ones, and which page; null for the first 100 of all.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task<IReadOnlyList<SagaInfo>> ListAsync(SagaFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>Gets one saga with its steps and its history; null when there is none with this id.</summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task<SagaInfo?> FindAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>Counts sagas.</summary>
    /// <param name="filter">Which ones; null for all.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task<long> CountAsync(SagaFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>Lets a saga that needs attention try again what it could not do, with a fresh budget of retries and the same idempotency key.</summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>False when no saga with this id needs attention (any more).</returns>
    Task<bool> RetryAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>Lets a saga that needs attention go on without what it could not do: people have done it in another way, or it need not be done.</summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="reason">Why; not empty. Kept in its history, and logged.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>False when no saga with this id needs attention (any more).</returns>
    /// <exception cref="EventBusException">What is stored of it cannot be read, so that nobody knows what to go on with. Finish it instead.</exception>
    Task<bool> SkipAsync(string id, string reason, CancellationToken cancellationToken = default);

    /// <summary>Ends a saga that needs attention as it stands: nothing more is executed or undone.</summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="reason">Why; not empty. Kept in its history, and logged.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>False when no saga with this id needs attention (any more).</returns>
    Task<bool> FinishAsync(string id, string reason, CancellationToken cancellationToken = default);
}
