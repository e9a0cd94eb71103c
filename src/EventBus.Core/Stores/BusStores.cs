namespace EventBus.Stores;

/// <summary>
/// The stores that a package provides. A store that the package does not provide is null. If it is required, the start
/// fails with an error that names a package which provides it.
/// </summary>
public sealed class BusStores
{
    /// <summary>The package's name for logs and errors, for instance <c>in memory</c>.</summary>
    public required string Name { get; init; }

    /// <summary>
    /// True if the stores survive the end of the process and keep events as bytes, so that every event type needs JSON
    /// type information. Default true.
    /// </summary>
    public bool Durable { get; init; } = true;

    /// <summary>The store of retries, dead letters, and events that wait for their order.</summary>
    public FailureStore? Failures { get; init; }

    /// <summary>The store of delayed events.</summary>
    public DelayStore? Delays { get; init; }

    /// <summary>The store of the events that idempotent subscriptions have handled.</summary>
    public ProcessedEventStore? Processed { get; init; }

    /// <summary>The store of the progress and state of sagas.</summary>
    public SagaStore? Sagas { get; init; }

    /// <summary>
    /// The store of the instances that use the other stores, if only processes of this machine can reach them. Null,
    /// the default, if every instance of the application uses the same stores.
    /// </summary>
    public InstanceStore? Instances { get; init; }

    /// <summary>
    /// The store of the subscriptions that were in use on a backend that cannot list what it keeps for them. Null, the
    /// default, if the stores end with the process: the bus then cannot name what a removed subscription leaves on the
    /// backend.
    /// </summary>
    public SubscriptionStore? Subscriptions { get; init; }

    /// <summary>
    /// Creates, from the application's clock, the clock for due times and leases in the stores. Called once, before the
    /// stores are opened. The wall time of the created clock may differ from the application's, for instance because
    /// all instances share it; its timestamps and timers must be those of the application's clock. Default: the
    /// application's clock.
    /// </summary>
    public Func<TimeProvider, TimeProvider> PlanBy { get; init; } = static time => time;

    /// <summary>
    /// Returns the problems of the stores, and the data for which they will soon have no space, as one sentence each
    /// that names what is affected. The health check is then degraded and shows the sentences. Default none.
    /// </summary>
    public Func<IReadOnlyCollection<string>> Shortages { get; init; } = static () => [];

    /// <summary>
    /// Connects, and creates or checks what is missing. Called once, before any other use. Throws an
    /// <see cref="EventBusException"/> that says what to do if this is impossible. Does nothing by default.
    /// </summary>
    public Func<StoreSetup, CancellationToken, ValueTask> OpenAsync { get; init; } = static (_, _) => ValueTask.CompletedTask;

    /// <summary>
    /// Closes the stores. Called once, after the last use, even if opening failed. Does nothing by default.
    /// </summary>
    public Func<ValueTask> CloseAsync { get; init; } = static () => ValueTask.CompletedTask;
}
