using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>Receives the events of one subscription, until its intake stops.</summary>
internal sealed class RabbitMqReceiver(
    Subscription subscription,
    RabbitMqConnector connector,
    RabbitMqTopology topology,
    SharedQueueLookup lookup,
    TimeProvider time)
    : Receiver
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    private readonly ConsumerLoop consumerLoop = new(subscription, connector, topology, time);
    private readonly OtherConsumers otherConsumers = new(subscription, connector, topology, lookup);
    private readonly CancellationTokenSource stop = new();
    private Task running = Task.CompletedTask;

    public override ChannelReader<Delivery> Deliveries => consumerLoop.Buffer.Reader;

    public string Name => subscription.Name;

    public Subscription Subscription => subscription;

    /// <summary>True while a channel consumes the queue.</summary>
    public bool IsLive => consumerLoop.CurrentConsumer is not null;

    public Exception? LastError => consumerLoop.LastError;

    /// <summary>
    /// The description of an unreadable message that closed the connection recently; null if there was none.
    /// </summary>
    public string? UnreadableMessage => consumerLoop.UnreadableMessage;

    /// <summary>Completes when the consumer is open for the first time; fails if the broker refuses it.</summary>
    public Task Opened => consumerLoop.Opened;

    /// <summary>Completes when the first attempt to open has failed.</summary>
    public Task Failed => consumerLoop.Failed;

    public void Start() => running = consumerLoop.RunAsync(stop.Token);

    /// <summary>
    /// Counts the other consumers of the queue; null while this receiver does not consume, or if the broker does not
    /// report the number. A consumer whose process has ended may be counted for up to <c>ExpiresAfter</c>.
    /// </summary>
    public async Task<(int Count, TimeSpan ExpiresAfter)?> CountOtherConsumersAsync(CancellationToken cancellationToken)
    {
        if (!IsLive || consumerLoop.IsIntakeStopped)
        {
            return null;
        }

        var counted = await otherConsumers.CountAsync(cancellationToken);
        return IsLive ? counted : null;
    }

    public override async ValueTask StopIntakeAsync()
    {
        consumerLoop.StopIntake();

        var consumer = consumerLoop.CurrentConsumer;
        if (subscription.Ordered || consumer is null)
        {
            // An ordered subscription releases nothing before the events in progress are settled: another instance
            // would become active and overtake them. Without a consumer, the broker has already released the events.
            while (Deliveries.TryRead(out _))
            {
                // The event stays unsettled, and is released when the channel closes.
            }

            return;
        }

        // Stopping does not wait for an unresponsive broker. The consumer releases events that still arrive.
        await consumer.CancelAsync().WaitAsync(CloseTimeout, time).Quietly();
        while (Deliveries.TryRead(out var delivery))
        {
            await delivery.ReleaseAsync();
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await StopIntakeAsync();
        await stop.CancelAsync();
        await running.WaitAsync(CloseTimeout, time).Quietly();
    }
}
