using System.Net.Security;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Parses a connection string: an AMQP URI, which may have several hosts.</summary>
internal static class RabbitMqConnectionString
{
    private const string SchemeEnd = "://";

    /// <summary>Creates one factory per host.</summary>
    /// <exception cref="ArgumentException">
    /// The text is not an AMQP URI. The message does not contain the text, which may include a password.
    /// </exception>
    public static IReadOnlyList<ConnectionFactory> Parse(string connectionString, RabbitMqOptions options)
    {
        List<ConnectionFactory> hosts = [];
        foreach (var text in Split(connectionString))
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
                + "@, %2F for a / and %3A for a : in the password or the virtual host, and several hosts as host1:5672,host2:5672. "
                + "It has no parameters after a ?; RabbitMqOptions has such settings.",
            nameof(connectionString));
    }

    /// <summary>
    /// Splits a connection string into one address per host, all with the same user, password and virtual host.
    /// </summary>
    private static IEnumerable<string> Split(string connectionString)
    {
        var schemeEnd = connectionString.IndexOf(SchemeEnd, StringComparison.Ordinal);
        if (schemeEnd < 0)
        {
            return [connectionString];
        }

        // The authority of the URI: user:password@host1,host2.
        var authorityStart = schemeEnd + SchemeEnd.Length;
        var authorityLength = connectionString.AsSpan(authorityStart).IndexOfAny("/?#");
        var authorityEnd = authorityLength >= 0 ? authorityStart + authorityLength : connectionString.Length;

        // A user or a password may contain a comma, so only the part after the @ is split.
        var atSign = connectionString.AsSpan(authorityStart, authorityEnd - authorityStart).LastIndexOf('@');
        var hostsStart = atSign >= 0 ? authorityStart + atSign + 1 : authorityStart;
        var beforeHosts = connectionString[..hostsStart];
        var afterHosts = connectionString[authorityEnd..];
        return connectionString[hostsStart..authorityEnd].Split(',').Select(host => $"{beforeHosts}{host.Trim()}{afterHosts}");
    }

    /// <summary>
    /// Returns false if the user or the password seems to contain a character that must be escaped: part of the
    /// password would be read as the host, the port or the path, and would appear in errors. Also returns false for the
    /// parameters of other clients, which this one would ignore.
    /// </summary>
    private static bool IsUnambiguous(Uri uri) =>
        uri.UserInfo.Count(c => c == ':') <= 1
            && uri.Query.Length == 0
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
