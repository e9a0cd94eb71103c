using RabbitMQ.Client;

namespace EventBus;

/// <summary>The nodes of a cluster. Each opening begins with another of them, and goes on to the next where one does not take it. Thread-safe.</summary>
/// <remarks>The first is chosen at random, so that the instances of a service do not all meet on one node. One that swallows everything uses up the time of an opening; the next opening begins behind it.</remarks>
internal sealed class RabbitMqHosts(IReadOnlyList<AmqpTcpEndpoint> endpoints) : IEndpointResolver
{
    private const string SchemeEnd = "://";

    private uint openings = (uint)Random.Shared.Next(endpoints.Count);

    public IEnumerable<AmqpTcpEndpoint> All()
    {
        var first = (int)((Interlocked.Increment(ref openings) - 1) % (uint)endpoints.Count);
        return endpoints.Skip(first).Concat(endpoints.Take(first));
    }

    /// <summary>Makes one address for each host of a connection string, all with the same user, password and virtual host.</summary>
    public static IEnumerable<string> Split(string connectionString)
    {
        var begin = connectionString.IndexOf(SchemeEnd, StringComparison.Ordinal) + SchemeEnd.Length;
        if (begin < SchemeEnd.Length)
        {
            return [connectionString];
        }

        // A user or a password may hold a comma; a host cannot.
        var end = connectionString.AsSpan(begin).IndexOfAny("/?#") is >= 0 and var length ? begin + length : connectionString.Length;
        var hosts = connectionString.AsSpan(begin, end - begin).LastIndexOf('@') is >= 0 and var at ? begin + at + 1 : begin;
        var (before, after) = (connectionString[..hosts], connectionString[end..]);
        return connectionString[hosts..end].Split(',').Select(host => $"{before}{host.Trim()}{after}");
    }
}
