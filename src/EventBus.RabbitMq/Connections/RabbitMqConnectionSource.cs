using System.Net.Security;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Where connections come from: a connection string, or what the application registered. Names the broker without any secret.</summary>
internal sealed class RabbitMqConnectionSource
{
    // The most that a broker can be set to: with less, one large message would end every connection that it is delivered to, for ever.
    private const uint MaxBodyBytes = 536_870_912;

    private readonly IConnection? lent;
    private readonly IReadOnlyList<AmqpTcpEndpoint> endpoints;

    private RabbitMqConnectionSource(string place, IConnectionFactory? factory, IConnection? lent, IReadOnlyList<AmqpTcpEndpoint> endpoints) =>
        (Place, Factory, this.lent, this.endpoints) = (place, factory, lent, endpoints);

    /// <summary>What makes connections; null where the application lends one.</summary>
    public IConnectionFactory? Factory { get; }

    /// <summary>The broker, for people: host and port.</summary>
    public string Place { get; }

    /// <summary>The connection is the application's: it is used and never closed, and its own recovery brings it back.</summary>
    public bool IsLent => lent is not null;

    /// <summary>A connection string.</summary>
    /// <exception cref="ArgumentException">It is no AMQP URI. The text is not repeated in the message: it may hold a password.</exception>
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
                // Its words repeat parts of the text.
                throw NotAnAddress();
            }
        }

        foreach (var host in hosts)
        {
            // Of an amqps:// address the client accepts any valid certificate, whatever host it was made for: whoever is on the way could read everything.
            host.Ssl.AcceptablePolicyErrors = SslPolicyErrors.None;
        }

        return new RabbitMqConnectionSource(string.Join(',', hosts.Select(host => $"{host.HostName}:{host.Endpoint.Port}")), hosts[0], null, [.. hosts.Select(host => host.Endpoint)]);

        static ArgumentException NotAnAddress() => new(
            "The RabbitMQ connection string is no AMQP URI. It looks like amqp://user:password@host:5672/virtual-host, with %40 for an @, %2F for a / and %3A for a : in the password or the virtual host, and several hosts as host1:5672,host2:5672.", nameof(connectionString));
    }

    /// <summary>The application's factory: credentials, TLS and time-outs are the application's, the connections are this library's own.</summary>
    public static RabbitMqConnectionSource Of(IConnectionFactory factory) =>
        new(factory is ConnectionFactory known ? $"{known.HostName}:{known.Endpoint.Port}" : "the registered IConnectionFactory", factory, null, []);

    /// <summary>The application's connection.</summary>
    public static RabbitMqConnectionSource Of(IConnection connection) => new($"{connection.Endpoint.HostName}:{connection.Endpoint.Port}", null, connection, []);

    /// <summary>The nodes of a connection string, for one link: what another link opens does not move its turn. Null where the application gives factory or connection.</summary>
    public RabbitMqHosts? HostsOfALink() => endpoints.Count == 0 ? null : new RabbitMqHosts(endpoints);

    /// <summary>Gives a live connection.</summary>
    /// <param name="name">What operators see it called.</param>
    /// <param name="traffic">Counts the bytes that come over it, where the library reads them itself.</param>
    /// <param name="hosts">The nodes of the link, where a connection string names them.</param>
    public Task<IConnection> OpenAsync(string name, ConnectionTraffic traffic, RabbitMqHosts? hosts = null) =>
        Factory is ConnectionFactory known ? OpenAsync(known, hosts ?? known.EndpointResolverFactory([known.Endpoint]), name, traffic)
        : lent is null ? Factory!.CreateConnectionAsync(name, CancellationToken.None)
        : lent.IsOpen ? Task.FromResult(lent)
        : Task.FromException<IConnection>(new InvalidOperationException("The registered IConnection is closed. It comes back if its factory has AutomaticRecoveryEnabled."));

    /// <summary>Opens a connection that does not die of what comes through it. As the factory does it: the first endpoint that takes it.</summary>
    private static async Task<IConnection> OpenAsync(ConnectionFactory factory, IEndpointResolver resolver, string name, ConnectionTraffic traffic)
    {
        List<Exception> errors = [];
        foreach (var endpoint in resolver.All())
        {
            try
            {
                var plain = new AmqpTcpEndpoint(endpoint.HostName, endpoint.Port, new SslOption(), MaxBodyBytes) { AddressFamily = endpoint.AddressFamily };
                return await Guarded(factory, endpoint.Ssl is { Enabled: true } tls ? tls : null, traffic).CreateConnectionAsync([plain], name, CancellationToken.None);
            }
            catch (Exception exception)
            {
                errors.Add(exception);
            }
        }

        throw errors is [var error] ? error : new BrokerUnreachableException(new AggregateException(errors));
    }

    /// <summary>A copy of a factory: an application's own stays as it is. It recovers nothing, because the bus replaces whatever is lost.</summary>
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

    /// <summary>False for a password that was not escaped: a part of it would be taken for the host, the port or the path, and be named in errors.</summary>
    private static bool IsUnambiguous(Uri uri) =>
        uri.UserInfo.Count(c => c == ':') <= 1 && uri.AbsolutePath.Count(c => c == '/') <= 1 && !$"{uri.PathAndQuery}{uri.Fragment}".Contains('@', StringComparison.Ordinal);

    private static ConnectionFactory Create(Uri uri, RabbitMqOptions options) => new()
    {
        Uri = uri,
        AutomaticRecoveryEnabled = false,
        TopologyRecoveryEnabled = false,
        RequestedHeartbeat = options.Heartbeat,
        RequestedConnectionTimeout = options.CallTimeout,
        HandshakeContinuationTimeout = options.CallTimeout,

        // The bus has deadlines of its own: on a slow wire an answer may take several.
        ContinuationTimeout = options.CallTimeout * (ConnectionSession.MostDeadlines + 1),
    };
}
