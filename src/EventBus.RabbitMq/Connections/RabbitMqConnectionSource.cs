using System.Net.Security;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Opens connections from a connection string, or from the service that the application registered. Names the broker
/// without secrets.
/// </summary>
internal sealed class RabbitMqConnectionSource
{
    // The largest value that a broker can be configured with. With a lower limit, one large message would close every
    // connection to which it is delivered.
    private const uint MaxBodyBytes = 536_870_912;

    private readonly IConnection? sharedConnection;
    private readonly IReadOnlyList<AmqpTcpEndpoint> endpoints;

    private RabbitMqConnectionSource(
        string place,
        IConnectionFactory? factory,
        IConnection? sharedConnection,
        IReadOnlyList<AmqpTcpEndpoint> endpoints) =>
        (Place, Factory, this.sharedConnection, this.endpoints) = (place, factory, sharedConnection, endpoints);

    /// <summary>The factory of connections; null if the application provides the connection.</summary>
    public IConnectionFactory? Factory { get; }

    /// <summary>The host and port of the broker, for log and error messages.</summary>
    public string Place { get; }

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
        List<ConnectionFactory> hosts = [];
        foreach (var text in RabbitMqHosts.Split(connectionString))
        {
            if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("amqp" or "amqps") || !IsUnambiguous(uri))
            {
                throw NotAnAddress();
            }

            try
            {
                hosts.Add(Create(uri, options));
            }
            catch (Exception)
            {
                // The message of this exception contains parts of the text.
                throw NotAnAddress();
            }
        }

        foreach (var host in hosts)
        {
            // By default the client accepts a valid certificate of any host for an amqps:// address, so that an
            // attacker on the network path could read all traffic.
            host.Ssl.AcceptablePolicyErrors = SslPolicyErrors.None;
        }

        return new RabbitMqConnectionSource(
            string.Join(',', hosts.Select(host => $"{host.HostName}:{host.Endpoint.Port}")),
            hosts[0],
            null,
            [.. hosts.Select(host => host.Endpoint)]);

        static ArgumentException NotAnAddress() => new(
            "The RabbitMQ connection string is not an AMQP URI. Its format is amqp://user:password@host:5672/virtual-host, with %40 for an "
                + "@, %2F for a / and %3A for a : in the password or the virtual host, and several hosts as host1:5672,host2:5672.",
                    nameof(connectionString));
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
    /// <param name="traffic">Counts the received bytes, if the library reads them itself.</param>
    /// <param name="hosts">The nodes of a connection string; null if there is none.</param>
    public Task<IConnection> OpenAsync(string name, ConnectionTraffic traffic, RabbitMqHosts? hosts = null)
    {
        if (Factory is ConnectionFactory known)
        {
            return OpenAsync(known, hosts ?? known.EndpointResolverFactory([known.Endpoint]), name, traffic);
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

    /// <summary>
    /// Opens a connection that unreadable messages do not close. Like the factory, uses the first endpoint that accepts
    /// it.
    /// </summary>
    private static async Task<IConnection> OpenAsync(
        ConnectionFactory factory,
        IEndpointResolver resolver,
        string name,
        ConnectionTraffic traffic)
    {
        List<Exception> errors = [];
        foreach (var endpoint in resolver.All())
        {
            try
            {
                var plain = new AmqpTcpEndpoint(
                    endpoint.HostName,
                    endpoint.Port,
                    new SslOption(),
                    MaxBodyBytes)
                { AddressFamily = endpoint.AddressFamily };
                var tls = endpoint.Ssl is { Enabled: true } enabled ? enabled : null;
                return await Guarded(factory, tls, traffic).CreateConnectionAsync([plain], name, CancellationToken.None);
            }
            catch (Exception exception)
            {
                errors.Add(exception);
            }
        }

        throw errors is [var error] ? error : new BrokerUnreachableException(new AggregateException(errors));
    }

    /// <summary>
    /// Copies a factory, so that the application's factory is not changed. Recovery is off, because the bus replaces
    /// lost connections.
    /// </summary>
    internal static ConnectionFactory Guarded(ConnectionFactory factory, SslOption? tls, ConnectionTraffic traffic) => new()
    {
        AmqpUriSslProtocols = factory.AmqpUriSslProtocols,
        AuthMechanisms = factory.AuthMechanisms,
        AutomaticRecoveryEnabled = false,
        ClientProperties = factory.ClientProperties,
        ConsumerDispatchConcurrency = factory.ConsumerDispatchConcurrency,
        ContinuationTimeout = factory.ContinuationTimeout,
        CredentialsProvider = factory.CredentialsProvider,
        HandshakeContinuationTimeout = factory.HandshakeContinuationTimeout,
        MaxInboundMessageBodySize = MaxBodyBytes,
        Password = factory.Password,
        RequestedChannelMax = factory.RequestedChannelMax,
        RequestedConnectionTimeout = factory.RequestedConnectionTimeout,
        RequestedFrameMax = factory.RequestedFrameMax,
        RequestedHeartbeat = factory.RequestedHeartbeat,
        SocketFactory = family => new RabbitMqGuardedClient(factory.SocketFactory(family), tls, traffic),
        SocketReadTimeout = factory.SocketReadTimeout,
        SocketWriteTimeout = factory.SocketWriteTimeout,
        TopologyRecoveryEnabled = false,
        UserName = factory.UserName,
        VirtualHost = factory.VirtualHost,
    };

    /// <summary>
    /// Returns false if the user or the password seems to contain a character that must be escaped: part of the
    /// password would be read as the host, the port or the path, and would appear in errors.
    /// </summary>
    private static bool IsUnambiguous(Uri uri) =>
        uri.UserInfo.Count(c => c == ':') <= 1
            && uri.AbsolutePath.Count(c => c == '/') <= 1
            && !$"{uri.PathAndQuery}{uri.Fragment}".Contains('@', StringComparison.Ordinal);

    private static ConnectionFactory Create(Uri uri, RabbitMqOptions options) => new()
    {
        Uri = uri,
        AutomaticRecoveryEnabled = false,
        TopologyRecoveryEnabled = false,
        RequestedHeartbeat = options.Heartbeat,
        RequestedConnectionTimeout = options.CallTimeout,
        HandshakeContinuationTimeout = options.CallTimeout,

        // The bus has its own deadlines: on a slow connection an answer may take several of them.
        ContinuationTimeout = options.CallTimeout * (ConnectionSession.MaxDeadlines + 1),
    };
}
