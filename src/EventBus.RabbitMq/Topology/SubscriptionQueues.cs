using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

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

    private static async Task<QueueDeclareOk?> FindQueueAsync(ConnectionSession session, string queue)
    {
        try
        {
            // Uses its own channel, because a refusal closes it.
            return await session.OnChannelAsync(channel => channel.QueueDeclarePassiveAsync(queue));
        }
        catch (OperationInterruptedException exception) when (RabbitMqErrors.IsMissing(exception))
        {
            return null;
        }
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
