using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Opens connections from a connection string, or from the service that the application registered. Names the broker
/// without secrets.
/// </summary>
internal sealed class RabbitMqConnectionSource
{
    private readonly IConnection? sharedConnection;
    private readonly IReadOnlyList<AmqpTcpEndpoint> endpoints;

    private RabbitMqConnectionSource(
        string address,
        IConnectionFactory? factory,
        IConnection? sharedConnection,
        IReadOnlyList<AmqpTcpEndpoint> endpoints)
    {
        Address = address;
        Factory = factory;
        this.sharedConnection = sharedConnection;
        this.endpoints = endpoints;
    }

    /// <summary>The factory of connections; null if the application provides the connection.</summary>
    public IConnectionFactory? Factory { get; }

    /// <summary>The hosts and ports of the broker, for log and error messages. Contains no secrets.</summary>
    public string Address { get; }

    /// <summary>
    /// True if the connection belongs to the application. It is used but never closed, and recovers automatically.
    /// </summary>
    public bool IsShared => sharedConnection is not null;

    /// <summary>Creates a source from a connection string.</summary>
    /// <exception cref="ArgumentException">
    /// The text is not an AMQP URI. The message does not contain the text, which may include a password.
    /// </exception>
    public static RabbitMqConnectionSource Of(string connectionString, RabbitMqOptions options)
    {
        var hosts = RabbitMqConnectionString.Parse(connectionString, options);
        return new RabbitMqConnectionSource(
            string.Join(',', hosts.Select(host => $"{host.HostName}:{host.Endpoint.Port}")),
            hosts[0],
            null,
            [.. hosts.Select(host => host.Endpoint)]);
    }

    /// <summary>
    /// Creates a source from the application's factory. The factory defines credentials, TLS and timeouts; the
    /// connections belong to this library.
    /// </summary>
    public static RabbitMqConnectionSource Of(IConnectionFactory factory) =>
        new(
            factory is ConnectionFactory known ? $"{known.HostName}:{known.Endpoint.Port}" : "the registered IConnectionFactory",
            factory,
            null,
            []);

    /// <summary>Creates a source from the application's connection.</summary>
    public static RabbitMqConnectionSource Of(IConnection connection) =>
        new($"{connection.Endpoint.HostName}:{connection.Endpoint.Port}", null, connection, []);

    /// <summary>
    /// Creates the list of the nodes for one supervised connection, with a current node of its own. Null if there is no
    /// connection string, because the application provides the factory or the connection.
    /// </summary>
    public RabbitMqHosts? CreateHosts() => endpoints.Count == 0 ? null : new RabbitMqHosts(endpoints);

    /// <summary>Opens a connection, or returns the connection of the application.</summary>
    /// <param name="name">The connection name that operators see.</param>
    /// <param name="traffic">
    /// Counts the received bytes. Stays at 0 if the connection comes from the application, or from a factory of a type
    /// that the application has defined.
    /// </param>
    /// <param name="hosts">The nodes of a connection string; null if there is none.</param>
    public Task<IConnection> OpenAsync(string name, ConnectionTraffic traffic, RabbitMqHosts? hosts = null)
    {
        if (Factory is ConnectionFactory known)
        {
            return GuardedConnection.OpenAsync(known, hosts ?? known.EndpointResolverFactory([known.Endpoint]), name, traffic);
        }

        if (sharedConnection is null)
        {
            // A factory of a type that the application has defined.
            return Factory!.CreateConnectionAsync(name, CancellationToken.None);
        }

        return sharedConnection.IsOpen
            ? Task.FromResult(sharedConnection)
            : Task.FromException<IConnection>(new InvalidOperationException(
                "The registered IConnection is closed. It opens again if its factory has AutomaticRecoveryEnabled."));
    }
}
