using EventBus.Transports;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Counts the consumers that other instances have on the queue of a subscription.</summary>
internal sealed class OtherConsumers(
    Subscription subscription,
    RabbitMqConnector connector,
    RabbitMqTopology topology,
    SharedQueueLookup lookup)
{
    // The time in heartbeat intervals for which a consumer whose process has ended may still be counted: the broker
    // checks a connection once per interval, and closes a silent one at the second check without new data.
    private const int HeartbeatsUntilDead = 3;

    private readonly string queue = topology.QueueOf(subscription.Name);
    private int isRefusalLogged;

    /// <summary>
    /// Counts all consumers of the queue except one, which this instance must have at present; null if the broker does
    /// not report the number. A consumer whose process has ended may be counted for up to <c>ExpiresAfter</c>.
    /// </summary>
    public async Task<(int Count, TimeSpan ExpiresAfter)?> CountAsync(CancellationToken cancellationToken)
    {
        // A quorum queue with a single active consumer counts only the active one.
        if (subscription.Ordered && connector.Options.QueueType == RabbitMqQueueType.Quorum)
        {
            return null;
        }

        try
        {
            // A missing queue is reported and created again by its receiver.
            return await lookup.FindAsync(queue, cancellationToken) is var (state, heartbeat)
                ? ((int)state.ConsumerCount - 1, heartbeat * HeartbeatsUntilDead)
                : null;
        }
        catch (Exception exception) when (RabbitMqErrors.IsCallFailure(exception))
        {
            if (exception is OperationInterruptedException && Interlocked.Exchange(ref isRefusalLogged, 1) == 0)
            {
                connector.Log.CannotCountConsumers(queue, RabbitMqErrors.CauseOf(exception)!);
            }

            return null;
        }
    }
}
