using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Lists the nodes of a cluster. Each attempt to open a connection begins with the next node, and continues with the
/// others if a node does not accept the connection. Thread-safe.
/// </summary>
/// <remarks>
/// The first node is chosen at random, so that the instances of a service do not all use the same node. A node that
/// does not answer uses up the time of an attempt; the next attempt begins with the node after it.
/// </remarks>
internal sealed class RabbitMqHosts(IReadOnlyList<AmqpTcpEndpoint> endpoints) : IEndpointResolver
{
    private const string SchemeEnd = "://";

    // Increases with each attempt. Modulo the number of nodes, it is the index of the first node of the attempt.
    private uint attempts = (uint)Random.Shared.Next(endpoints.Count);

    public IEnumerable<AmqpTcpEndpoint> All()
    {
        var first = (int)((Interlocked.Increment(ref attempts) - 1) % (uint)endpoints.Count);
        return endpoints.Skip(first).Concat(endpoints.Take(first));
    }

    /// <summary>
    /// Splits a connection string into one address per host, all with the same user, password and virtual host.
    /// </summary>
    public static IEnumerable<string> Split(string connectionString)
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
}
