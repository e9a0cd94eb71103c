using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>A backend under proof: what a backend's author writes to run the suite. Share one instance among all scenarios.</summary>
/// <remarks>
/// Three members are needed: the name, a way to make transports that meet one another on one server, and the stores that the backend is used with.
/// The abilities are optional: each pair of a property and a method lets more scenarios run.
/// </remarks>
public abstract class Backend
{
    private readonly RunGate gate = new();

    /// <summary>The name for people: the heading of its column in the table of guarantees.</summary>
    public abstract string Name { get; }

    /// <summary>Makes a transport that is not started. Those with the same isolation meet on the server; those with another never see one another's events.</summary>
    /// <param name="setup">What it is made for.</param>
    public abstract Transport CreateTransport(TransportSetup setup);

    /// <summary>Adds the stores for retries, dead letters and delays, for instance <c>bus.StoreInMemory()</c>.</summary>
    /// <param name="bus">The bus of one application; its transport is chosen already.</param>
    /// <param name="isolation">Unique for each run, as in <see cref="TransportSetup.Isolation"/>.</param>
    public abstract void AddStores(EventBusBuilder bus, string isolation);

    /// <summary>Whether <see cref="TransportSetup.QueueCapacity"/> is obeyed. Default false.</summary>
    public virtual bool CanLimitQueue => false;

    /// <summary>Whether <see cref="PublishForeignAsync"/> works. Default false.</summary>
    public virtual bool CanPublishForeign => false;

    /// <summary>Whether <see cref="SeverConnectionsAsync"/> works. Default false.</summary>
    public virtual bool CanSeverConnections => false;

    /// <summary>Whether <see cref="RestartBrokerAsync"/> works. Default false.</summary>
    public virtual bool CanRestartBroker => false;

    /// <summary>Texts that no log of any scenario may contain, such as the password in the connection string. Default none.</summary>
    public virtual IReadOnlyList<string> Secrets => [];

    /// <summary>Sends a message as a program in another language would: with the protocol's own client, and no header beside those of the message.</summary>
    /// <param name="isolation">The run's isolation.</param>
    /// <param name="message">The message.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public virtual Task PublishForeignAsync(string isolation, ForeignMessage message, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Cuts every connection to the broker, which stays up. Completes once they are cut.</summary>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public virtual Task SeverConnectionsAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Stops the broker and starts it again on the same data. Completes once it is up.</summary>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public virtual Task RestartBrokerAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    internal RunGate Gate => gate;
}
