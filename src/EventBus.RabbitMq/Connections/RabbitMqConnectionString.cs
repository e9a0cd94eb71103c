using System.Net.Security;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Parses a connection string: an AMQP URI, which may have several hosts.</summary>
internal static class RabbitMqConnectionString
{
    /// <summary>Creates one factory per host.</summary>
    /// <exception cref="ArgumentException">
    /// The text is not an AMQP URI. The message does not contain the text, which may include a password.
    /// </exception>
    public static IReadOnlyList<ConnectionFactory> Parse(string connectionString, RabbitMqOptions options)
    {
        List<ConnectionFactory> hosts = [];
        foreach (var text in RabbitMqHosts.Split(connectionString))
        {
            if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("amqp" or "amqps") || !IsUnambiguous(uri))
            {
                throw InvalidConnectionString();
            }

            try
            {
                hosts.Add(CreateFactory(uri, options));
            }
            catch (Exception)
            {
                // The message of this exception contains parts of the text.
                throw InvalidConnectionString();
            }
        }

        foreach (var host in hosts)
        {
            // For an amqps:// address, the client by default accepts a valid certificate of any other host, so that an
            // attacker on the network path could read all traffic.
            host.Ssl.AcceptablePolicyErrors = SslPolicyErrors.None;
        }

        return hosts;

        static ArgumentException InvalidConnectionString() => new(
            "The RabbitMQ connection string is not an AMQP URI. Its format is amqp://user:password@host:5672/virtual-host, with %40 for an "
                + "@, %2F for a / and %3A for a : in the password or the virtual host, and several hosts as host1:5672,host2:5672.",
            nameof(connectionString));
    }

    /// <summary>
    /// Returns false if the user or the password seems to contain a character that must be escaped: part of the
    /// password would be read as the host, the port or the path, and would appear in errors.
    /// </summary>
    private static bool IsUnambiguous(Uri uri) =>
        uri.UserInfo.Count(c => c == ':') <= 1
            && uri.AbsolutePath.Count(c => c == '/') <= 1
            && !$"{uri.PathAndQuery}{uri.Fragment}".Contains('@', StringComparison.Ordinal);

    private static ConnectionFactory CreateFactory(Uri uri, RabbitMqOptions options) => new()
    {
        Uri = uri,
        AutomaticRecoveryEnabled = false,
        TopologyRecoveryEnabled = false,
        RequestedHeartbeat = options.Heartbeat,
        RequestedConnectionTimeout = options.CallTimeout,
        HandshakeContinuationTimeout = options.CallTimeout,

        // ConnectionSession applies the timeouts of calls. On a slow connection it waits for several of them, so the
        // client must wait longer.
        ContinuationTimeout = options.CallTimeout * (ConnectionSession.MaxTimeouts + 1),
    };
}
