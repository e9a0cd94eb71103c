namespace EventBus;

/// <summary>
/// Starts sagas and waits for their results. Resolve it from the container. Operators use <see cref="SagaManager"/>.
/// Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// The type of the state identifies the saga: an application has one saga per state type
/// (<c>bus.AddSaga&lt;TSaga, TState&gt;()</c>).
/// </para>
/// <para>
/// Each call of the store is limited by <see cref="EventBusOptions.PublishTimeout"/> (default 10 s). If the store does
/// not answer in time, the call throws an <see cref="EventBusException"/>. The outcome is then in doubt, and the call
/// may be repeated. <see cref="RunAsync"/> and <see cref="WaitAsync"/> wait for the end of the saga without a limit,
/// but each of their store calls has the same timeout.
/// </para>
/// </remarks>
public interface ISagas
{
    /// <summary>
    /// Starts a saga and returns its id after it is stored. From then on it runs to its end, on any instance.
    /// </summary>
    /// <param name="state">The initial state.</param>
    /// <param name="id">
    /// The saga's id: 1 to 100 letters, digits and any of <c>- _ . : ~</c>. Starting the same id again has no effect,
    /// even after the saga has ended, until its retention has passed (<see cref="SagaOptions.Retention"/>). Default: a
    /// new id.
    /// </param>
    /// <param name="cancellationToken">Cancels the wait only: the saga may have been started.</param>
    /// <typeparam name="TState">The type of the state.</typeparam>
    /// <exception cref="ArgumentException">
    /// The id is not valid, no saga has this type of state, a saga of another name has the id, or the state cannot be
    /// serialized or is larger than <see cref="EventBusOptions.MaxBodyBytes"/>.
    /// </exception>
    /// <exception cref="EventBusException">
    /// The bus is not running, or the store did not accept the saga. The message says whether it may have been started.
    /// </exception>
    Task<string> StartAsync<TState>(TState state, string? id = null, CancellationToken cancellationToken = default)
        where TState : notnull;

    /// <summary>
    /// Starts a saga, or finds the existing one with the id, and waits until it has ended or needs attention.
    /// </summary>
    /// <remarks>
    /// The saga does not depend on the wait: it continues when the wait is cancelled or the process ends. Call
    /// <see cref="WaitAsync"/> to wait again.
    /// </remarks>
    /// <param name="state">The initial state.</param>
    /// <param name="id">The saga's id, as for <see cref="StartAsync"/>.</param>
    /// <param name="cancellationToken">Cancels the wait only.</param>
    /// <typeparam name="TState">The type of the state.</typeparam>
    /// <exception cref="ArgumentException">As for <see cref="StartAsync"/>.</exception>
    /// <exception cref="EventBusException">
    /// As for <see cref="StartAsync"/>; or the bus stopped before the saga had ended, or the stored saga cannot be
    /// read.
    /// </exception>
    Task<SagaResult<TState>> RunAsync<TState>(TState state, string? id = null, CancellationToken cancellationToken = default)
        where TState : notnull;

    /// <summary>Waits until a saga has ended or needs attention.</summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="cancellationToken">Cancels the wait only.</param>
    /// <typeparam name="TState">The type of its state.</typeparam>
    /// <exception cref="ArgumentException">
    /// No registered saga has this type of state, or there is no saga with this id, or its state is of another type.
    /// </exception>
    /// <exception cref="EventBusException">
    /// The bus is not running, or stopped before the saga had ended, or the stored saga cannot be read.
    /// </exception>
    Task<SagaResult<TState>> WaitAsync<TState>(string id, CancellationToken cancellationToken = default)
        where TState : notnull;

    /// <summary>Gets a saga with its steps and its history; null if there is none with this id.</summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="EventBusException">The bus is not running.</exception>
    Task<SagaInfo?> FindAsync(string id, CancellationToken cancellationToken = default);
}
