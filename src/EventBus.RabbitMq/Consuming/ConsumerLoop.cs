using System.Threading.Channels;
using EventBus.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Consumes the queue of one subscription over a channel that is replaced whenever it is lost, or whenever its consumer
/// may be lost (<see cref="LostConsumerWatch"/>).
/// </summary>
internal sealed class ConsumerLoop
{
    // The number of unsettled events that the broker delivers per slot of the subscription. A quorum queue delivers the
    // next event only after a majority has written an acknowledgement; with one event per slot, handlers would mostly
    // wait for that.
    private const int PrefetchPerSlot = 4;

    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    private readonly Subscription subscription;
    private readonly SupervisedConnection link;
    private readonly RabbitMqTopology topology;
    private readonly string queue;
    private readonly RabbitMqOptions options;
    private readonly TimeProvider time;
    private readonly ConsumerLog log;
    private readonly SupervisedLoop supervisor;
    private readonly FirstOpening firstOpening;
    private volatile RabbitMqConsumer? currentConsumer;
    private volatile bool intakeStopped;

    public ConsumerLoop(Subscription subscription, RabbitMqConnector connector, RabbitMqTopology topology, TimeProvider time)
    {
        this.subscription = subscription;
        this.topology = topology;
        this.time = time;
        link = connector.Consuming;
        options = connector.Options;
        queue = topology.QueueOf(subscription.Name);
        log = new ConsumerLog(subscription.Name, queue, connector.Log, time);
        supervisor = new SupervisedLoop($"the channel of {subscription.Name}", time, connector.Log, log.LogFailure);
        firstOpening = new FirstOpening(options);

        // The buffer is never full: the broker sends no more unsettled events than the prefetch, and the events of a
        // lost channel are removed from the buffer.
        Buffer = Channel.CreateBounded<Delivery>(new BoundedChannelOptions(Prefetch) { SingleWriter = true });
    }

    /// <summary>The buffer of deliveries, which outlives the channels.</summary>
    public Channel<Delivery> Buffer { get; }

    /// <summary>The consumer of the current channel; null while no channel consumes the queue.</summary>
    public RabbitMqConsumer? CurrentConsumer => currentConsumer;

    public Exception? LastError => link.LastError ?? supervisor.LastError;

    public string? UnreadableMessage => log.UnreadableMessage;

    /// <summary>Completes when the consumer is open for the first time; fails if the broker refuses it.</summary>
    public Task Opened => firstOpening.Opened;

    /// <summary>Completes when the first attempt to open has failed.</summary>
    public Task Failed => Task.WhenAny(link.Failed, supervisor.Failed);

    /// <summary>True after <see cref="StopIntake"/>.</summary>
    public bool IsIntakeStopped => intakeStopped;

    private ushort Prefetch => (ushort)Math.Clamp(PrefetchPerSlot * subscription.Concurrency, 1, ushort.MaxValue);

    /// <summary>Runs until it is stopped. Never throws.</summary>
    public Task RunAsync(CancellationToken stopped) => supervisor.RunAsync(
        async token =>
        {
            while (true)
            {
                await UseChannelAsync(token);
            }
        },
        stopped);

    /// <summary>Opens no further channels, and closes the buffer. The current consumer is not cancelled.</summary>
    public void StopIntake()
    {
        intakeStopped = true;
        Buffer.Writer.TryComplete();
    }

    /// <summary>Consumes over one channel until it has ended or is replaced.</summary>
    private async Task UseChannelAsync(CancellationToken stopped)
    {
        var session = await link.ConnectionAsync(stopped);
        if (intakeStopped)
        {
            // No channel is needed any longer. Waits until the receiver is closed.
            await Task.Delay(Timeout.InfiniteTimeSpan, time, stopped);
        }

        var channel = await session.OpenChannelAsync(
            new CreateChannelOptions(
                publisherConfirmationsEnabled: false,
                publisherConfirmationTrackingEnabled: false,
                consumerDispatchConcurrency: 1));
        var isIdle = false;
        using var stopsWaiting = CancellationTokenSource.CreateLinkedTokenSource(stopped);
        using var deliveries = new UnsettledDeliveries(Buffer);
        var countsDeliveries = options.QueueType == RabbitMqQueueType.Quorum;
        var consumer = new RabbitMqConsumer(channel, session, deliveries, subscription.Ordered, countsDeliveries)
        {
            OnIdComputed = log.LogComputedId,
        };
        try
        {
            await ConsumeAsync(consumer, channel, session);
            var ended = Task.WhenAny(deliveries.Ended, session.Ended);
            if (LostConsumerWatch.IsNeeded(session, options))
            {
                var idle = LostConsumerWatch.WhenIdleAsync(deliveries, time, stopsWaiting.Token);
                isIdle = await Task.WhenAny(ended, idle).WaitAsync(stopped) == idle;
                if (isIdle)
                {
                    // Replaces the channel, because its consumer may be lost.
                    return;
                }
            }

            var firstEnded = await ended.WaitAsync(stopped);
            throw await firstEnded;
        }
        finally
        {
            // While an idle channel is replaced, the receiver still counts as consuming.
            if (!isIdle)
            {
                currentConsumer = null;
            }

            await stopsWaiting.CancelAsync();
            deliveries.End(new InvalidOperationException("The channel was closed by this side."));

            // The channel is closed before the next one opens, if the broker answers in time: an ordered queue has only
            // one active consumer.
            await channel.DiscardAsync().WaitAsync(CloseTimeout, time, CancellationToken.None).Quietly();
        }
    }

    /// <summary>Restores missing entities, and begins to consume.</summary>
    private async Task ConsumeAsync(RabbitMqConsumer consumer, IChannel channel, ConnectionSession session)
    {
        try
        {
            await new RabbitMqProvisioner(options).RestoreOnAsync(session, channel, topology.EntitiesOf(subscription));
            await session.CallAsync(channel.BasicQosAsync(0, Prefetch, global: false, CancellationToken.None));
            await session.CallAsync(consumer.ConsumeAsync(queue));
            currentConsumer = consumer;
            if (intakeStopped)
            {
                await consumer.CancelAsync();
            }

            supervisor.Succeeded();
            firstOpening.Succeed();
        }
        catch (OperationInterruptedException exception)
        {
            firstOpening.ReportRefusal($"the queue '{queue}'", exception);
            throw;
        }
    }
}
