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

    private uint openings = (uint)Random.Shared.Next(endpoints.Count);

    public IEnumerable<AmqpTcpEndpoint> All()
    {
        var first = (int)((Interlocked.Increment(ref openings) - 1) % (uint)endpoints.Count);
        return endpoints.Skip(first).Concat(endpoints.Take(first));
    }

    /// <summary>
    /// Splits a connection string into one address per host, all with the same user, password and virtual host.
    /// </summary>
    public static IEnumerable<string> Split(string connectionString)
    {
        var begin = connectionString.IndexOf(SchemeEnd, StringComparison.Ordinal) + SchemeEnd.Length;
        if (begin < SchemeEnd.Length)
        {
            return [connectionString];
        }

        // A user or a password may contain a comma; a host cannot.
        var length = connectionString.AsSpan(begin).IndexOfAny("/?#");
        var end = length >= 0 ? begin + length : connectionString.Length;
        var at = connectionString.AsSpan(begin, end - begin).LastIndexOf('@');
        var hosts = at >= 0 ? begin + at + 1 : begin;
        var (before, after) = (connectionString[..hosts], connectionString[end..]);
        return connectionString[hosts..end].Split(',').Select(host => $"{before}{host.Trim()}{after}");
    }
}
