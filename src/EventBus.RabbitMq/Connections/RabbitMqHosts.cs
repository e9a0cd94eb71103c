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
    // Increases with each attempt. Modulo the number of nodes, it is the index of the first node of the attempt.
    private uint attempts = (uint)Random.Shared.Next(endpoints.Count);

    public IEnumerable<AmqpTcpEndpoint> All()
    {
        var first = (int)((Interlocked.Increment(ref attempts) - 1) % (uint)endpoints.Count);
        return endpoints.Skip(first).Concat(endpoints.Take(first));
    }
}
