using System.Threading.Channels;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Receives the events of one subscription: one loop for each channel or pattern, and one channel of deliveries for the
/// bus. Limits the number and the total size of the unsettled events. Further events are dropped, counted and logged.
/// </summary>
/// <remarks>
/// The client's own queues are unbounded. They stay short, because the loops take each message at once: they wait for
/// nothing but the next message.
/// </remarks>
internal sealed class RedisPubSubReceiver(
    Subscription subscription,
    RedisPubSubTransport transport,
    RedisPubSubTopology topology,
    RedisPubSubOptions options,
    ILogger log) : Receiver
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);
    private static readonly Action<RedisChannel, RedisValue> Ignore = static (_, _) => { };

    // Unbounded; Accept enforces the limits by heldCount and heldBytes, which count every event until it is
    // acknowledged, also while a handler processes it.
    private readonly Channel<Delivery> deliveries = Channel.CreateUnbounded<Delivery>();
    private readonly RedisPubSubDrops drops = new(subscription.Name, topology.Time, log);
    private readonly List<ChannelMessageQueue> queues = [];
    private readonly List<Task> loops = [];
    private readonly CancellationTokenSource stop = new();
    private readonly RedisStringCache commonStrings = new();
    private readonly Lock gate = new();
    private Task? stopping;
    private Task? closing;
    private long heldCount;
    private long heldBytes;

    // 1 after the first event without an id was logged.
    private int isMissingIdLogged;

    public Subscription Subscription => subscription;

    public override ChannelReader<Delivery> Deliveries => deliveries.Reader;

    /// <summary>True if the intake has stopped or is about to stop.</summary>
    public bool IsStopping { get; private set; }

    /// <summary>True if events were dropped less than a minute ago.</summary>
    public bool IsOverflowing => drops.AreRecent;

    /// <summary>True if all channels are subscribed to over an open connection.</summary>
    public bool IsConnected(ISubscriber subscriber) => queues.TrueForAll(queue =>
        subscriber.SubscribedEndpoint(queue.Channel) is not null && subscriber.IsConnected(queue.Channel));

    /// <summary>
    /// Starts to listen. If a degraded start is allowed and there is no connection, listening begins when there is one.
    /// </summary>
    public async Task ListenAsync(ISubscriber subscriber, bool failFast, CancellationToken cancellationToken)
    {
        foreach (var channel in topology.ChannelsOf(subscription))
        {
            queues.Add(await OpenAsync(subscriber, channel, failFast, cancellationToken));
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

    /// <summary>Stops to count an acknowledged event against the limits.</summary>
    public void Forget(RedisPubSubDelivery delivery)
    {
        Interlocked.Decrement(ref heldCount);
        Interlocked.Add(ref heldBytes, -delivery.Envelope.Body.Length);
    }

    /// <summary>
    /// Delivers a released event again, because Redis keeps no copy. After the intake has stopped, the channel is
    /// complete: a released event is then lost, and counted in the log when the receiver closes.
    /// </summary>
    public void TakeBack(RedisPubSubDelivery delivery) =>
        deliveries.Writer.TryWrite(new RedisPubSubDelivery(this, delivery.Envelope, delivery.EarlierDeliveries + 1).ToDelivery());

    /// <summary>
    /// Subscribes to a channel in two steps: first with a handler that ignores the messages, to learn whether Redis
    /// allows it, then with the queue. If Redis refused the queue, the client would keep it and fill it, and there
    /// would be no reference with which to remove it.
    /// </summary>
    private async Task<ChannelMessageQueue> OpenAsync(
        ISubscriber subscriber,
        RedisChannel channel,
        bool failFast,
        CancellationToken cancellationToken)
    {
        try
        {
            await subscriber.SubscribeAsync(channel, Ignore).WaitAsync(RedisConnector.CommandTimeout, topology.Time, cancellationToken);
            return await subscriber.SubscribeAsync(channel, CommandFlags.FireAndForget);
        }
        catch (Exception exception) when (!failFast && exception is (RedisConnectionException or TimeoutException))
        {
            // There is no connection yet. The client subscribes to all its channels when it connects.
            return await subscriber.SubscribeAsync(channel, CommandFlags.FireAndForget);
        }
        finally
        {
            await subscriber.UnsubscribeAsync(channel, Ignore, CommandFlags.FireAndForget);
        }
    }

    private SupervisedLoop NewLoop(string channel) => new(
        $"{subscription.Name}: receiving from {channel}",
        topology.Time,
        log,
        (logger, _, error) => logger.NotTaken(subscription.Name, error.GetType().Name));

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

        // Checked before the message is parsed, so that a flood of messages costs little work. A receiver that holds no
        // bytes accepts an event of any size.
        var length = message.Message.Length();
        var bytes = Interlocked.Read(ref heldBytes);
        var exceedsCount = Interlocked.Read(ref heldCount) >= options.BufferCount;
        var exceedsBytes = bytes > 0 && bytes + length > options.BufferBytes;
        if (exceedsCount || exceedsBytes)
        {
            drops.Add();
            return;
        }

        var envelope = RedisPubSubWireFormat.Read(eventName, (byte[]?)message.Message ?? [], commonStrings, out var isIdFromContent);
        if (isIdFromContent && Interlocked.Exchange(ref isMissingIdLogged, 1) == 0)
        {
            log.IdMadeFromContent(subscription.Name, envelope.Name);
        }

        Interlocked.Increment(ref heldCount);
        Interlocked.Add(ref heldBytes, envelope.Body.Length);
        deliveries.Writer.TryWrite(new RedisPubSubDelivery(this, envelope, earlierDeliveries: 0).ToDelivery());
        drops.Report();
    }

    private async Task StopAsync()
    {
        // Events that this instance has already published still reach this subscription.
        await transport.WaitForOwnEventsAsync(CloseTimeout);
        await Task.WhenAll(queues.Select(queue => queue.UnsubscribeAsync())).WaitAsync(CloseTimeout, topology.Time).Quietly();
        await stop.CancelAsync();
        await Task.WhenAll(loops).WaitAsync(CloseTimeout, topology.Time).Quietly();

        // The bus still receives the deliveries that are in the channel, because their events are stored nowhere else.
        deliveries.Writer.TryComplete();
        drops.Report(atOnce: true);
    }

    private async Task CloseAsync()
    {
        await StopIntakeAsync();
        transport.Leave(this);
        var lost = Interlocked.Read(ref heldCount);
        if (lost > 0)
        {
            log.LostAtClose(lost, subscription.Name);
        }

        stop.Dispose();
    }
}
