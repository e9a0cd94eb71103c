using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>
/// Represents a backend to test. The author of a backend derives from it to run the suite. Share one instance among all
/// scenarios.
/// </summary>
/// <remarks>
/// Three members are required: the name, a method that creates transports that share one server, and a method that adds
/// the stores. The others are optional: each <c>Can</c> property that returns true enables more scenarios, which call
/// the method that the property names, if it names one.
/// </remarks>
public abstract class Backend
{
    /// <summary>The display name: the heading of the backend's column in the table of guarantees.</summary>
    public abstract string Name { get; }

    /// <summary>
    /// Creates a transport that is not started. Transports with the same isolation share events on the server;
    /// transports with different isolations never receive each other's events.
    /// </summary>
    /// <param name="setup">The application and the run for which it is created.</param>
    public abstract Transport CreateTransport(TransportSetup setup);

    /// <summary>Adds the stores for retries, dead letters and delays, for example <c>bus.StoreInMemory()</c>.</summary>
    /// <param name="bus">The bus of one application. Its transport is already configured.</param>
    /// <param name="isolation">Unique for each run, as in <see cref="TransportSetup.Isolation"/>.</param>
    public abstract void AddStores(EventBusBuilder bus, string isolation);

    /// <summary>True if the backend respects <see cref="TransportSetup.QueueCapacity"/>. Default false.</summary>
    public virtual bool CanLimitQueue => false;

    /// <summary>True if the backend supports <see cref="PublishForeignAsync"/>. Default false.</summary>
    public virtual bool CanPublishForeign => false;

    /// <summary>True if the backend supports <see cref="SeverConnectionsAsync"/>. Default false.</summary>
    public virtual bool CanSeverConnections => false;

    /// <summary>True if the backend supports <see cref="RestartBrokerAsync"/>. Default false.</summary>
    public virtual bool CanRestartBroker => false;

    /// <summary>
    /// Texts that no log of any scenario may contain, such as the password in the connection string. Default none.
    /// </summary>
    public virtual IReadOnlyList<string> Secrets => [];

    /// <summary>
    /// Sends a message as a program in another language would: with the client of the protocol, and with no other
    /// headers than those of the message.
    /// </summary>
    /// <param name="isolation">The isolation of the run.</param>
    /// <param name="message">The message.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public virtual Task PublishForeignAsync(string isolation, ForeignMessage message, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <summary>Closes every connection to the broker, which keeps running. Completes when they are closed.</summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public virtual Task SeverConnectionsAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Restarts the broker with the same data. Completes when it is running again.</summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public virtual Task RestartBrokerAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    internal RunGate Gate { get; } = new();
}
