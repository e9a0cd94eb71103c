using System.Threading.Channels;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Receives the events of one subscription through a consumer, whose channel is replaced whenever it is lost.
/// </summary>
/// <remarks>
/// When a quorum queue is deleted and created again at once, RabbitMQ before version 4.0 moves the consumer to the new
/// queue instead of cancelling it, and then drops what the new queue delivers (rabbit_channel.erl,
/// handle_consuming_queue_down_or_eol). A client cannot see this. So on these versions the channel is also replaced
/// when nothing has arrived for 10 seconds and nothing is unsettled.
/// </remarks>
internal sealed class RabbitMqReceiver : Receiver
{
    // The number of unsettled events that the broker delivers per slot of the subscription. A quorum queue delivers the
    // next event only after a majority has written an acknowledgement; with one event per slot, handlers would mostly
    // wait for that.
    private const int PrefetchPerSlot = 4;

    // The time in heartbeat intervals for which a consumer whose process has ended may still be counted: the broker
    // checks a connection once per interval, and closes a silent one at the second check without new data.
    private const int HeartbeatsUntilDead = 3;

    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    // The time without an event after which the channel is replaced, where the consumer may be lost unnoticed.
    private static readonly TimeSpan MaxIdle = TimeSpan.FromSeconds(10);

    // The time for which the health check reports a message that closed the connection. If the message is still in the
    // queue, it is redelivered within seconds.
    private static readonly TimeSpan UnreadableReportTime = TimeSpan.FromSeconds(30);

    private readonly Subscription subscription;
    private readonly SupervisedConnection link;
    private readonly RabbitMqTopology topology;
    private readonly RabbitMqOptions options;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly SupervisedLoop supervisor;
    private readonly Channel<Delivery> buffer;
    private readonly CancellationTokenSource stop = new();
    private readonly TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile RabbitMqConsumer? currentConsumer;
    private volatile bool intakeStopped;
    private UnreadableReport? lastUnreadable;
    private int isCountRefusalLogged;
    private int isComputedIdLogged;
    private Task loop = Task.CompletedTask;

    public RabbitMqReceiver(Subscription subscription, RabbitMqConnector connector, RabbitMqTopology topology, TimeProvider time)
    {
        this.subscription = subscription;
        this.topology = topology;
        this.time = time;
        link = connector.Consuming;
        options = connector.Options;
        log = connector.Log;
        supervisor = new SupervisedLoop($"the channel of {subscription.Name}", time, log, LogFailure);

        // The buffer is never full: the broker sends no more unsettled events than the prefetch, and the events of a
        // lost channel are removed from the buffer.
        buffer = Channel.CreateBounded<Delivery>(new BoundedChannelOptions(Prefetch) { SingleWriter = true });
    }

    public override ChannelReader<Delivery> Deliveries => buffer.Reader;

    public string Name => subscription.Name;

    /// <summary>True while a channel consumes the queue.</summary>
    public bool IsLive => currentConsumer is not null;

    public Exception? LastError => link.LastError ?? supervisor.LastError;

    /// <summary>
    /// The description of an unreadable message that closed the connection recently; null if there was none.
    /// </summary>
    public string? UnreadableMessage
    {
        get
        {
            var last = Volatile.Read(ref lastUnreadable);
            return last is not null && time.GetElapsedTime(last.ReportedAt) < UnreadableReportTime
                ? $"a message in the queue '{topology.QueueOf(subscription.Name)}', or in another queue that is consumed over the same "
                    + $"connection, cannot be read by the client and closes the connection at each delivery: {last.Cause}"
                : null;
        }
    }

    /// <summary>Completes when the consumer is open for the first time; fails if the broker refuses it.</summary>
    public Task Opened => opened.Task;

    /// <summary>Completes when the first attempt to open has failed.</summary>
    public Task Failed => Task.WhenAny(link.Failed, supervisor.Failed);

    private ushort Prefetch => (ushort)Math.Clamp(PrefetchPerSlot * subscription.Concurrency, 1, ushort.MaxValue);

    public void Start() => loop = supervisor.RunAsync(ReceiveAsync, stop.Token);

    /// <summary>
    /// Counts the other consumers of the queue; null while this receiver does not consume, or if the broker does not
    /// report the number. A consumer whose process has ended may be counted for up to <c>ExpiresAfter</c>.
    /// </summary>
    public async Task<(int Count, TimeSpan ExpiresAfter)?> CountOtherConsumersAsync(CancellationToken cancellationToken)
    {
        // A quorum queue with a single active consumer counts only the active one.
        if (!IsLive || intakeStopped || (subscription.Ordered && options.QueueType == RabbitMqQueueType.Quorum))
        {
            return null;
        }

        try
        {
            var session = await link.ConnectionAsync(cancellationToken).WaitAsync(options.CallTimeout, time, cancellationToken);
            var state = await session.OnChannelAsync(channel => channel.QueueDeclarePassiveAsync(topology.QueueOf(subscription.Name)));
            return IsLive ? ((int)state.ConsumerCount - 1, session.Client.Heartbeat * HeartbeatsUntilDead) : null;
        }
        catch (Exception exception)
            when (exception is TimeoutException or InvalidOperationException or AlreadyClosedException or OperationInterruptedException)
        {
            if (exception is OperationInterruptedException && Interlocked.Exchange(ref isCountRefusalLogged, 1) == 0)
            {
                log.CannotCountConsumers(topology.QueueOf(subscription.Name), RabbitMqErrors.CauseOf(exception)!);
            }

            return null;
        }
    }

    public override async ValueTask StopIntakeAsync()
    {
        intakeStopped = true;
        buffer.Writer.TryComplete();

        var consumer = currentConsumer;
        if (subscription.Ordered || consumer is null)
        {
            // An ordered subscription releases nothing before the events in progress are settled: another instance
            // would become active and overtake them. Without a consumer, the broker has already released the events.
            while (buffer.Reader.TryRead(out _))
            {
                // The event stays unsettled, and is released when the channel closes.
            }

            return;
        }

        // Stopping does not wait for an unresponsive broker. The consumer releases events that still arrive.
        await consumer.CancelAsync().WaitAsync(CloseTimeout, time).Quietly();
        while (buffer.Reader.TryRead(out var delivery))
        {
            await delivery.ReleaseAsync();
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await StopIntakeAsync();
        await stop.CancelAsync();
        await loop.WaitAsync(CloseTimeout, time).Quietly();
    }

    private async Task ReceiveAsync(CancellationToken stopped)
    {
        while (true)
        {
            await UseChannelAsync(stopped);
        }
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
        using var consumer = new RabbitMqConsumer(
            channel,
            session,
            buffer,
            subscription.Ordered,
            options.QueueType == RabbitMqQueueType.Quorum)
        { OnIdComputed = LogComputedId };
        try
        {
            await ConsumeAsync(consumer, channel, session);
            var ended = Task.WhenAny(consumer.Ended, session.Ended);
            if (session.LosesConsumers && options.QueueType == RabbitMqQueueType.Quorum)
            {
                var idle = WhenIdleAsync(consumer, stopsWaiting.Token);
                isIdle = await Task.WhenAny(ended, idle).WaitAsync(stopped) == idle;
                if (isIdle)
                {
                    // Replaces the channel, because its consumer may be lost (see the remarks of the class).
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
            consumer.End(new InvalidOperationException("The channel was closed by this side."));

            // The channel is closed before the next one opens, if the broker answers in time: an ordered queue has only
            // one active consumer.
            await channel.DiscardAsync().WaitAsync(CloseTimeout, time, CancellationToken.None).Quietly();
        }
    }

    /// <summary>Restores missing entities, and begins to consume.</summary>
    private async Task ConsumeAsync(RabbitMqConsumer consumer, IChannel channel, ConnectionSession session)
    {
        var queue = topology.QueueOf(subscription.Name);
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
            opened.TrySetResult();
        }
        catch (OperationInterruptedException exception) when (RabbitMqErrors.IsRefusal(exception, options) && !opened.Task.IsCompleted)
        {
            opened.TrySetException(RabbitMqErrors.Refused($"the queue '{queue}'", exception));

            // Observes the exception: after a degraded start, nothing awaits this task.
            _ = opened.Task.Exception;
            throw;
        }
    }

    /// <summary>
    /// Completes when no event has arrived for <see cref="MaxIdle"/> and none is unsettled, or when the wait is
    /// cancelled. Does not throw.
    /// </summary>
    private async Task WhenIdleAsync(RabbitMqConsumer consumer, CancellationToken cancellationToken)
    {
        long before;
        do
        {
            before = consumer.Received;
            await Task.Delay(MaxIdle, time, cancellationToken).Quietly();
        }
        while (!cancellationToken.IsCancellationRequested && (consumer.Received != before || !consumer.IsSettled));
    }

    private void LogFailure(ILogger logger, TimeSpan delay, Exception error)
    {
        if (RabbitMqErrors.IsUnreadable(error))
        {
            var cause = RabbitMqErrors.CauseOf(error)!;
            Volatile.Write(ref lastUnreadable, new UnreadableReport(time.GetTimestamp(), cause));
            logger.UnreadableMessage(topology.QueueOf(subscription.Name), delay, cause, error);
            return;
        }

        logger.ChannelLost(subscription.Name, delay, RabbitMqErrors.CauseOf(error)!, error);
    }

    private void LogComputedId(string eventName)
    {
        if (Interlocked.Exchange(ref isComputedIdLogged, 1) == 0)
        {
            log.IdComputedFromContent(subscription.Name, eventName);
        }
    }

    private sealed record UnreadableReport(long ReportedAt, string Cause);
}
