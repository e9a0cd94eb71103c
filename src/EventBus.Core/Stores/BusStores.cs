namespace EventBus.Stores;

/// <summary>The stores that a package offers. What is null it does not have; asking for it is a start-up error that names a package which does.</summary>
public sealed class BusStores
{
    /// <summary>The package's name for logs and errors, for instance <c>in memory</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What it keeps survives the end of the process, and is kept as bytes: every event type needs JSON type information. Default true.</summary>
    public bool Durable { get; init; } = true;

    /// <summary>Retries, dead letters, and events that wait for their turn.</summary>
    public FailureStore? Failures { get; init; }

    /// <summary>Events that wait for a time.</summary>
    public DelayStore? Delays { get; init; }

    /// <summary>Which events were handled by idempotent subscriptions.</summary>
    public ProcessedEventStore? Processed { get; init; }

    /// <summary>How far every saga is, and its state.</summary>
    public SagaStore? Sagas { get; init; }

    /// <summary>Set where only processes of this machine can reach the stores: which of them do. Null, the default, where every instance of the application reaches the same stores.</summary>
    public InstanceStore? Instances { get; init; }

    /// <summary>Which subscriptions were in use on a backend that cannot list what it keeps for them. Null, the default, where the stores forget with the process: what a removed subscription leaves on the backend is not named then.</summary>
    public SubscriptionStore? Subscriptions { get; init; }

    /// <summary>Makes the clock by which what waits in the stores is planned and leased, of the application's clock; called once, before the stores are opened. Its wall time may differ from the application's, for instance because all instances share it;
    /// its timestamps and timers are those of the application's. Default: the application's clock.</summary>
    public Func<TimeProvider, TimeProvider> PlanBy { get; init; } = static time => time;

    /// <summary>What is wrong with the stores, or what they will soon have no room for, a sentence each that names what it concerns: the health check is degraded and shows them. Default nothing.</summary>
    public Func<IReadOnlyCollection<string>> Shortages { get; init; } = static () => [];

    /// <summary>Connects, and creates or checks what is missing; called once, before anything else. It throws <see cref="EventBusException"/> saying what to do when that is impossible. Default nothing.</summary>
    public Func<StoreSetup, CancellationToken, ValueTask> OpenAsync { get; init; } = static (_, _) => ValueTask.CompletedTask;

    /// <summary>Closes; called once, after the last use, also when opening failed. Default nothing.</summary>
    public Func<ValueTask> CloseAsync { get; init; } = static () => ValueTask.CompletedTask;
}
