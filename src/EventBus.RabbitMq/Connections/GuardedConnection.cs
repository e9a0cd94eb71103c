using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Opens connections that unreadable messages do not close, because the client reads through
/// <see cref="RabbitMqGuardedStream"/>.
/// </summary>
internal static class GuardedConnection
{
    // The largest message size that a broker can be configured to accept. With a lower limit, one large message would
    // close every connection to which it is delivered.
    private const uint MaxBodyBytes = 536_870_912;

    /// <summary>Opens a connection to the first endpoint that accepts it, as the factory itself would.</summary>
    public static async Task<IConnection> OpenAsync(
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
                // RabbitMqGuardedClient establishes TLS, so the endpoint that the client gets has none.
                var endpointWithoutTls = new AmqpTcpEndpoint(endpoint.HostName, endpoint.Port, new SslOption(), MaxBodyBytes)
                {
                    AddressFamily = endpoint.AddressFamily,
                };
                var tls = endpoint.Ssl is { Enabled: true } ? endpoint.Ssl : null;
                return await CopyFactory(factory, tls, traffic)
                    .CreateConnectionAsync([endpointWithoutTls], name, CancellationToken.None);
            }
            catch (Exception exception)
            {
                errors.Add(exception);
            }
        }

        throw errors.Count == 1 ? errors[0] : new BrokerUnreachableException(new AggregateException(errors));
    }

    /// <summary>
    /// Copies a factory, so that the application's factory is not changed. The connections of the copy read through
    /// <see cref="RabbitMqGuardedStream"/>. Recovery is off, because the bus replaces lost connections.
    /// </summary>
    public static ConnectionFactory CopyFactory(ConnectionFactory factory, SslOption? tls, ConnectionTraffic traffic) => new()
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
}
