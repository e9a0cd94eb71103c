using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Finds and deletes the queues of subscriptions.</summary>
internal sealed class SubscriptionQueues(RabbitMqTopology topology)
{
    /// <summary>Deletes the queues of a subscription that is no longer used.</summary>
    /// <exception cref="EventBusException">
    /// The queues have consumers, or they contain events and <paramref name="discardWaiting"/> is false.
    /// </exception>
    public async Task RetireAsync(ConnectionSession session, string subscription, bool discardWaiting)
    {
        string[] queues = [topology.QueueOf(subscription), topology.RetryQueueOf(subscription)];
        foreach (var queue in queues)
        {
            await CheckUnusedAsync(session, subscription, queue, discardWaiting);
        }

        foreach (var queue in queues)
        {
            // Deleting a missing queue is not an error. Quorum queues do not support the flags if-unused and if-empty.
            await session.OnChannelAsync(channel => channel.QueueDeleteAsync(queue, ifUnused: false, ifEmpty: false));
        }
    }

    /// <summary>Gets the queue of a subscription; null if it does not exist.</summary>
    public Task<QueueDeclareOk?> FindAsync(ConnectionSession session, string subscription) =>
        FindQueueAsync(session, topology.QueueOf(subscription));

    /// <summary>
    /// Reads the numbers of events and consumers of queues. The broker does not tell a client how many events were
    /// delivered and are not acknowledged. Queues that are missing are left out.
    /// </summary>
    /// <param name="session">
    /// The connection. One channel serves all queues, because this is repeated every few seconds.
    /// </param>
    /// <param name="subscriptions">The subscriptions.</param>
    /// <param name="type">The type of their queues.</param>
    public async Task<IReadOnlyList<SubscriptionBacklog>> ReadBacklogAsync(
        ConnectionSession session, IEnumerable<Subscription> subscriptions, RabbitMqQueueType type)
    {
        using var lookup = new QueueLookup(session);
        var backlogs = new List<SubscriptionBacklog>();
        foreach (var subscription in subscriptions)
        {
            if (await lookup.FindAsync(topology.QueueOf(subscription.Name)) is { } queue)
            {
                // A quorum queue with a single active consumer counts only the active one.
                var countsAll = !subscription.Ordered || type != RabbitMqQueueType.Quorum;
                backlogs.Add(new SubscriptionBacklog(
                    subscription.Name, queue.MessageCount, InFlight: null, countsAll ? (int)queue.ConsumerCount : null));
            }
        }

        return backlogs;
    }

    private static async Task<QueueDeclareOk?> FindQueueAsync(ConnectionSession session, string queue)
    {
        using var lookup = new QueueLookup(session);
        return await lookup.FindAsync(queue);
    }

    private static async Task CheckUnusedAsync(ConnectionSession session, string subscription, string queue, bool discardWaiting)
    {
        var state = await FindQueueAsync(session, queue);
        if (state is null)
        {
            return;
        }

        if (state.ConsumerCount > 0)
        {
            throw new EventBusException($"The queue '{queue}' still has {state.ConsumerCount} consumers. Stop the instances that "
                + $"subscribe to '{subscription}' first.");
        }

        if (state.MessageCount > 0 && !discardWaiting)
        {
            throw new EventBusException($"{state.MessageCount:N0} events wait in the queue '{queue}'. Let them be handled, or discard "
                + "them (discardWaiting: true).");
        }
    }
}
