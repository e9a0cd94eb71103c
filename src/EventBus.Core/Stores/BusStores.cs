namespace EventBus.Stores;

/// <summary>
/// Provides the stores of a package. A store that the package does not provide is null. If the bus needs it, the start
/// fails with an error that names a package which provides it.
/// </summary>
public abstract class BusStores
{
    /// <summary>The package's name for logs and errors, for instance <c>in memory</c>.</summary>
    public abstract string Name { get; }

    /// <summary>
    /// True if the stores survive the end of the process and keep events as bytes, so that every event type needs JSON
    /// type information. Default true.
    /// </summary>
    public virtual bool Durable => true;

    /// <summary>
    /// The store of failed events: retries, dead letters and, if it is a <see cref="KeyedFailureStore"/>, events that
    /// wait for their order.
    /// </summary>
    public virtual RetryStore? Failures => null;

    /// <summary>The store of delayed events.</summary>
    public virtual DelayStore? Delays => null;

    /// <summary>The store of the events that idempotent subscriptions have handled.</summary>
    public virtual ProcessedEventStore? Processed => null;

    /// <summary>The store of the progress and state of sagas.</summary>
    public virtual SagaStore? Sagas => null;

    /// <summary>
    /// The record of the instances that use these stores, for stores that only processes of this machine can reach.
    /// Null, the default, if every instance of the application uses the same stores.
    /// </summary>
    public virtual InstanceStore? Instances => null;

    /// <summary>
    /// The store of the subscriptions that were in use on a backend that cannot list what it keeps for them. Null, the
    /// default, if the stores end with the process: the bus then cannot name what a removed subscription leaves on the
    /// backend.
    /// </summary>
    public virtual SubscriptionStore? Subscriptions => null;

    /// <summary>
    /// The problems of the stores, including data for which they will soon have no space: one sentence each, which
    /// names what is affected. If there are any, the health check is degraded and shows them. Default none.
    /// </summary>
    public virtual IReadOnlyCollection<string> Shortages => [];

    /// <summary>
    /// Creates, from the application's clock, the clock for due times and leases in the stores. Called once, before the
    /// stores are opened. The wall time of the created clock may differ from the application's, for instance because
    /// all instances share it; its timestamps and timers must be those of the application's clock. Default: the
    /// application's clock.
    /// </summary>
    /// <param name="time">The application's clock.</param>
    public virtual TimeProvider CreateClock(TimeProvider time) => time;

    /// <summary>
    /// Connects, and creates or checks what is missing. Called once, before any other use. Does nothing by default.
    /// </summary>
    /// <param name="setup">The application that uses the stores.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="EventBusException">The stores cannot be used; the message says what to do.</exception>
    public virtual ValueTask OpenAsync(StoreSetup setup, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>
    /// Closes the stores. Called once, after the last use, even if opening failed. Does nothing by default.
    /// </summary>
    public virtual ValueTask CloseAsync() => ValueTask.CompletedTask;
}
