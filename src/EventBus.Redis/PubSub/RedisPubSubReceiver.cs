using System.Threading.Channels;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Receives the events of one subscription: one loop for each channel or pattern, and one bounded buffer. Events that
/// exceed the buffer are dropped, counted and logged.
/// </summary>
/// <remarks>
/// The client's own queues are unbounded. They stay short, because the loops wait only for the next message.
/// </remarks>
internal sealed class RedisPubSubReceiver(
    Subscription subscription,
    RedisPubSubTransport transport,
    RedisPubSubTopology names,
    RedisPubSubOptions options,
    ILogger log) : Receiver
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);
    private static readonly Action<RedisChannel, RedisValue> Ignore = static (_, _) => { };

    private readonly Channel<Delivery> deliveries = Channel.CreateUnbounded<Delivery>();
    private readonly RedisPubSubDrops drops = new(subscription.Name, names.Time, log);
    private readonly List<ChannelMessageQueue> queues = [];
    private readonly List<Task> loops = [];
    private readonly CancellationTokenSource stop = new();
    private readonly RedisStringCache texts = new();
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

    public IEnumerable<RedisChannel> Channels => queues.Select(queue => queue.Channel);

    /// <summary>
    /// Starts to listen. If a degraded start is allowed and there is no connection, listening begins when there is one.
    /// </summary>
    public async Task ListenAsync(ISubscriber subscriber, bool failFast, CancellationToken cancellationToken)
    {
        foreach (var channel in names.ChannelsOf(subscription))
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

    public void Forget(RedisPubSubDelivery delivery)
    {
        Interlocked.Decrement(ref heldCount);
        Interlocked.Add(ref heldBytes, -delivery.Envelope.Body.Length);
    }

    /// <summary>
    /// Puts a released event back into the buffer, because Redis keeps no copy. After the intake has stopped, the event
    /// is lost like all other unsettled events.
    /// </summary>
    public void TakeBack(RedisPubSubDelivery delivery) =>
        deliveries.Writer.TryWrite(new RedisPubSubDelivery(this, delivery.Envelope, delivery.EarlierDeliveries + 1).ToDelivery());

    /// <summary>
    /// Subscribes to a channel in two steps: first with a handler that can be removed if Redis refuses, then with the
    /// queue. A refused queue would stay behind without a reader.
    /// </summary>
    private async Task<ChannelMessageQueue> OpenAsync(
        ISubscriber subscriber,
        RedisChannel channel,
        bool failFast,
        CancellationToken cancellationToken)
    {
        try
        {
            await subscriber.SubscribeAsync(channel, Ignore).WaitAsync(RedisConnector.CommandTimeout, names.Time, cancellationToken);
            return await subscriber.SubscribeAsync(channel, CommandFlags.FireAndForget);
        }
        catch (Exception exception) when (!failFast && exception is RedisConnectionException or TimeoutException)
        {
            // The client subscribes to its known channels when it connects.
            return await subscriber.SubscribeAsync(channel, CommandFlags.FireAndForget);
        }
        finally
        {
            await subscriber.UnsubscribeAsync(channel, Ignore, CommandFlags.FireAndForget);
        }
    }

    private SupervisedLoop NewLoop(string channel) => new(
        $"{subscription.Name}: receiving from {channel}",
        names.Time,
        log,
        (logger, _, error) => logger.NotTaken(subscription.Name, error.GetType().Name));

    private async Task ReadAsync(ChannelMessageQueue queue, CancellationToken stopped)
    {
        try
        {
            while (true)
            {
                TryTake(await queue.ReadAsync(stopped));
            }
        }
        catch (Exception exception) when (exception is ChannelClosedException or OperationCanceledException)
        {
            // Messages that arrived before the stop are still delivered.
            while (queue.TryRead(out var message))
            {
                TryTake(message);
            }
        }
    }

    /// <summary>Takes a message. Logs errors instead of throwing, so that no message ends the loop.</summary>
    private void TryTake(ChannelMessage message)
    {
        try
        {
            Take(message);
        }
        catch (Exception exception)
        {
            log.Failing(
                $"taking messages for {subscription.Name}",
                exception,
                logger => logger.NotTaken(subscription.Name, exception.GetType().Name));
        }
    }

    private void Take(ChannelMessage message)
    {
        if (names.ArrivalOf(subscription, message.SubscriptionChannel, message.Channel!) is not { } eventName)
        {
            return;
        }

        // Checked before the message is parsed, so that a flood of messages costs little work.
        var length = message.Message.Length();
        var bytes = Interlocked.Read(ref heldBytes);
        var isFull = Interlocked.Read(ref heldCount) >= options.BufferCount || (bytes > 0 && bytes + length > options.BufferBytes);
        if (isFull)
        {
            drops.Add();
            return;
        }

        var envelope = RedisPubSubWireFormat.Read(eventName, (byte[]?)message.Message ?? [], texts, out var idWasMade);
        if (idWasMade && Interlocked.Exchange(ref isMissingIdLogged, 1) == 0)
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
        await transport.SettlePublishesAsync(CloseTimeout);
        await Task.WhenAll(queues.Select(queue => queue.UnsubscribeAsync())).WaitAsync(CloseTimeout, names.Time).Quietly();
        await stop.CancelAsync();
        await Task.WhenAll(loops).WaitAsync(CloseTimeout, names.Time).Quietly();

        // Buffered events exist nowhere else: the channel is completed, and its content is still delivered.
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
