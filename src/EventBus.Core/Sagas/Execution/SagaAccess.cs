namespace EventBus;

/// <summary>
/// Connects the services that applications resolve (<see cref="ISagas"/>, <see cref="SagaManager"/>) with the sagas
/// while the bus runs.
/// </summary>
internal sealed class SagaAccess(CallerContext context)
{
    private const string NotRunning =
        "The sagas cannot be reached: the bus has not started or has stopped, or it has no store that keeps sagas. "
        + "Start the host; add a store, for instance bus.StoreInMemory(), and a saga: bus.AddSaga<TSaga, TState>().";

    private volatile SagaOperations? running;

    public void Open(SagaOperations operations) => running = operations;

    public void Close() => running = null;

    /// <summary>
    /// Leaves the caller's synchronization context: the method that awaits the result continues outside of it.
    /// </summary>
    public ContextDeparture LeaveCallerContext() => context.Leave();

    /// <summary>Gets the operations of the running bus.</summary>
    /// <exception cref="EventBusException">The bus is not running or has no sagas.</exception>
    public SagaOperations Running() => running ?? throw new EventBusException(NotRunning);

    /// <summary>Processes a reply to a saga.</summary>
    public Task ReceiveAsync(string saga, EventContext reply, CancellationToken cancellationToken) =>
        Running().ReceiveAsync(saga, reply, cancellationToken);
}
