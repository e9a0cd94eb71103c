using RabbitMQ.Client;

namespace EventBus;

/// <summary>Where connections come from: a connection string, or what the application registered. Names the broker without any secret.</summary>
internal sealed class RabbitMqSource
{
    private readonly IConnectionFactory? factory;
    private readonly IConnection? lent;

    private RabbitMqSource(string place, IConnectionFactory? factory, IConnection? lent) => (Place, this.factory, this.lent) = (place, factory, lent);

    /// <summary>The broker, for people: host and port.</summary>
    public string Place { get; }

    /// <summary>The connection is the application's: it is used and never closed, and its own recovery brings it back.</summary>
    public bool IsLent => lent is not null;

    /// <summary>A connection string.</summary>
    /// <exception cref="ArgumentException">It is no AMQP URI. The text is not repeated in the message: it may hold a password.</exception>
    public static RabbitMqSource Of(string connectionString, RabbitMqOptions options)
    {
        if (!Uri.TryCreate(connectionString, UriKind.Absolute, out var uri) || uri.Scheme is not ("amqp" or "amqps"))
        {
            throw new ArgumentException("The RabbitMQ connection string is no AMQP URI. It looks like amqp://user:password@host:5672/virtual-host, with %40 for an @ in the password.", nameof(connectionString));
        }

        var factory = new ConnectionFactory
        {
            Uri = uri,
            AutomaticRecoveryEnabled = false,
            TopologyRecoveryEnabled = false,
            RequestedHeartbeat = options.Heartbeat,
            RequestedConnectionTimeout = options.CallTimeout,
            HandshakeContinuationTimeout = options.CallTimeout,
            ContinuationTimeout = options.CallTimeout,

            // The broker's own maximum: with less, one large message would end every connection that it is delivered to, for ever.
            MaxInboundMessageBodySize = 134_217_728,
        };
        return new RabbitMqSource($"{factory.HostName}:{factory.Endpoint.Port}", factory, null);
    }

    /// <summary>The application's factory: credentials, TLS and time-outs are the application's, the connections are this library's own.</summary>
    public static RabbitMqSource Of(IConnectionFactory factory) =>
        new(factory is ConnectionFactory known ? $"{known.HostName}:{known.Endpoint.Port}" : "the registered IConnectionFactory", factory, null);

    /// <summary>The application's connection.</summary>
    public static RabbitMqSource Of(IConnection connection) => new($"{connection.Endpoint.HostName}:{connection.Endpoint.Port}", null, connection);

    /// <summary>Gives a live connection.</summary>
    public Task<IConnection> OpenAsync(string name) =>
        lent is null ? factory!.CreateConnectionAsync($"eventbus {name}", CancellationToken.None)
        : lent.IsOpen ? Task.FromResult(lent)
        : Task.FromException<IConnection>(new InvalidOperationException("The registered IConnection is closed. It comes back if its factory has AutomaticRecoveryEnabled."));
}
