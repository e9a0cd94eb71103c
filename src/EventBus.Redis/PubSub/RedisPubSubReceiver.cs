using System.Threading.Channels;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Receives the events of one subscription, in one loop for each channel or pattern, and adds them to a buffer. Events
/// for which the buffer has no room are dropped, counted and logged.
/// </summary>
/// <remarks>
/// The client's own queues are unbounded. They stay short, because the loops take each message at once: they wait for
/// nothing but the next message.
/// </remarks>
internal sealed class RedisPubSubReceiver(
    Subscription subscription, RedisPubSubTransport transport, RedisPubSubTopology topology, RedisPubSubOptions options, ILogger log)
    : Receiver
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    private readonly RedisPubSubBuffer buffer = new(options);
    private readonly RedisPubSubDrops drops = new(subscription.Name, topology.Time, log);
    private readonly List<ChannelMessageQueue> queues = [];
    private readonly List<Task> loops = [];
    private readonly CancellationTokenSource stop = new();
    private readonly RedisStringCache commonStrings = new();
    private readonly Lock gate = new();
    private Task? stopping;
    private Task? closing;

    // 1 after the first event without an id was logged.
    private int isMissingIdLogged;

    public Subscription Subscription => subscription;

    public override ChannelReader<Delivery> Deliveries => buffer.Reader;

    /// <summary>True if the intake has stopped or is about to stop.</summary>
    public bool IsStopping { get; private set; }

    /// <summary>True if events were dropped less than a minute ago.</summary>
    public bool IsOverflowing => drops.AreRecent;

    /// <summary>True if all channels are subscribed to over an open connection.</summary>
    public bool IsConnected(ISubscriber subscriber) => queues.TrueForAll(queue =>
        subscriber.SubscribedEndpoint(queue.Channel) is not null && subscriber.IsConnected(queue.Channel));

    /// <summary>Starts to listen.</summary>
    /// <param name="subscriber">The connection.</param>
    /// <param name="failFast">True to throw if there is no connection. Otherwise the receiver waits for one.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task ListenAsync(ISubscriber subscriber, bool failFast, CancellationToken cancellationToken)
    {
        foreach (var channel in topology.ChannelsOf(subscription))
        {
            queues.Add(await RedisPubSubQueueOpener.OpenAsync(subscriber, channel, failFast, topology.Time, cancellationToken));
        }

        loops.AddRange(queues.Select(queue => NewLoop(queue.Channel!).RunAsync(stopped => ReadAsync(queue, stopped), stop.Token)));
    }

    public override async ValueTask StopIntakeAsync()
    {
        lock (gate)
        {
            IsStopping = true;
            stopping ??= StopAsync();
        }

        await stopping;
    }

    public override async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            closing ??= CloseAsync();
        }

        await closing;
    }

    private SupervisedLoop NewLoop(string channel) => new(
        $"{subscription.Name}: receiving from {channel}",
        topology.Time,
        log,
        (logger, delay, error) => logger.ReceivingFailed(subscription.Name, channel, delay, error.GetType().Name));

    private async Task ReadAsync(ChannelMessageQueue queue, CancellationToken stopped)
    {
        try
        {
            while (true)
            {
                TryAccept(await queue.ReadAsync(stopped));
            }
        }
        catch (Exception exception) when (exception is ChannelClosedException or OperationCanceledException)
        {
            // Messages that arrived before the stop are still delivered.
            while (queue.TryRead(out var message))
            {
                TryAccept(message);
            }
        }
    }

    /// <summary>Accepts a message. Logs errors instead of throwing, so that no message ends the loop.</summary>
    private void TryAccept(ChannelMessage message)
    {
        try
        {
            Accept(message);
        }
        catch (Exception exception)
        {
            log.Failing(
                $"accepting messages for {subscription.Name}",
                exception,
                logger => logger.NotTaken(subscription.Name, exception.GetType().Name));
        }
    }

    /// <summary>Passes a message to the bus, unless the subscription does not accept it or is at its limits.</summary>
    private void Accept(ChannelMessage message)
    {
        var eventName = topology.AcceptedNameOf(subscription, message.SubscriptionChannel, message.Channel!);
        if (eventName is null)
        {
            return;
        }

        // Checked before the message is parsed, so that a flood of messages costs little work.
        if (!buffer.HasRoomFor(message.Message.Length()))
        {
            drops.Add();
            return;
        }

        var envelope = RedisPubSubWireFormat.Read(eventName, (byte[]?)message.Message ?? [], commonStrings, out var isIdFromContent);
        if (isIdFromContent && Interlocked.Exchange(ref isMissingIdLogged, 1) == 0)
        {
            log.IdMadeFromContent(subscription.Name, envelope.Name);
        }

        buffer.Add(envelope);

        // Reports earlier drops whose log entry is due now.
        drops.Report();
    }

    private async Task StopAsync()
    {
        // Events that this instance has already published still reach this subscription.
        await transport.WaitForOwnEventsAsync(CloseTimeout);
        await Task.WhenAll(queues.Select(queue => queue.UnsubscribeAsync())).WaitAsync(CloseTimeout, topology.Time).Quietly();
        await stop.CancelAsync();
        await Task.WhenAll(loops).WaitAsync(CloseTimeout, topology.Time).Quietly();
        buffer.Complete();
        drops.Report(atOnce: true);
    }

    private async Task CloseAsync()
    {
        await StopIntakeAsync();
        transport.Leave(this);
        var lost = buffer.Count;
        if (lost > 0)
        {
            log.LostAtClose(lost, subscription.Name);
        }

        stop.Dispose();
    }
}
