using System.Threading.Channels;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>The live end of one subscription: a loop for each channel or pattern that it listens to, and a bounded buffer. What finds no room is dropped, counted and told.</summary>
/// <remarks>The client's own queues have no bound. They are short: the loops never wait for anything but the next message.</remarks>
internal sealed class RedisPubSubReceiver(Subscription subscription, RedisPubSubTransport transport, RedisPubSubTopology names, RedisPubSubOptions options, ILogger log) : Receiver
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);
    private static readonly Action<RedisChannel, RedisValue> Nobody = static (_, _) => { };

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
    private int idsMade;

    public Subscription Subscription => subscription;

    public override ChannelReader<Delivery> Deliveries => deliveries.Reader;

    /// <summary>The intake has stopped, or is about to.</summary>
    public bool IsStopping { get; private set; }

    /// <summary>Events were dropped not long ago.</summary>
    public bool IsOverflowing => drops.AreRecent;

    public IEnumerable<RedisChannel> Channels => queues.Select(queue => queue.Channel);

    /// <summary>Listens from now on. Where the start may be degraded, as soon as there is a connection.</summary>
    public async Task ListenAsync(ISubscriber subscriber, bool failFast, CancellationToken cancellationToken)
    {
        foreach (var channel in names.ChannelsOf(subscription))
        {
            queues.Add(await OpenAsync(subscriber, channel, failFast, cancellationToken));
        }

        loops.AddRange(queues.Select(queue => ReadAsync(queue, stop.Token)));
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

    /// <summary>Redis has it no more, so it waits here once more; after the intake has stopped it is lost with whatever else is unsettled.</summary>
    public void TakeBack(RedisPubSubDelivery delivery) =>
        deliveries.Writer.TryWrite(new RedisPubSubDelivery(this, delivery.Envelope, delivery.EarlierDeliveries + 1).ToDelivery());

    /// <summary>Opens a queue in two steps: a listener that can be taken away when Redis refuses it, then the queue, which would be left behind without a reader.</summary>
    private async Task<ChannelMessageQueue> OpenAsync(ISubscriber subscriber, RedisChannel channel, bool failFast, CancellationToken cancellationToken)
    {
        try
        {
            await subscriber.SubscribeAsync(channel, Nobody).WaitAsync(RedisConnector.Answer, names.Time, cancellationToken);
            return await subscriber.SubscribeAsync(channel, CommandFlags.FireAndForget);
        }
        catch (Exception exception) when (!failFast && exception is RedisConnectionException or TimeoutException)
        {
            // The client listens to what it knows as soon as it is connected.
            return await subscriber.SubscribeAsync(channel, CommandFlags.FireAndForget);
        }
        finally
        {
            await subscriber.UnsubscribeAsync(channel, Nobody, CommandFlags.FireAndForget);
        }
    }

    private async Task ReadAsync(ChannelMessageQueue queue, CancellationToken stop)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            while (true)
            {
                TryTake(await queue.ReadAsync(stop));
            }
        }
        catch (Exception exception) when (exception is ChannelClosedException or OperationCanceledException)
        {
            // What had arrived before still counts.
            while (queue.TryRead(out var message))
            {
                TryTake(message);
            }
        }
    }

    /// <summary>No message ends the loop, whatever it holds.</summary>
    private void TryTake(ChannelMessage message)
    {
        try
        {
            Take(message);
        }
        catch (Exception exception)
        {
            log.Failing($"taking messages for {subscription.Name}", exception, full => full.NotTaken(subscription.Name, exception.GetType().Name));
        }
    }

    private void Take(ChannelMessage message)
    {
        if (names.ArrivalOf(subscription, message.SubscriptionChannel, message.Channel!) is not { } eventName)
        {
            return;
        }

        // Before anything is parsed: a flood must not be worth much work.
        var length = message.Message.Length();
        if (Interlocked.Read(ref heldCount) >= options.BufferCount || (Interlocked.Read(ref heldBytes) is > 0 and var bytes && bytes + length > options.BufferBytes))
        {
            drops.Add();
            return;
        }

        var envelope = RedisPubSubWireFormat.Read(eventName, (byte[]?)message.Message ?? [], texts, out var idWasMade);
        if (idWasMade && Interlocked.Exchange(ref idsMade, 1) == 0)
        {
            log.IdMadeFromContent(subscription.Name, envelope.EventName);
        }

        Interlocked.Increment(ref heldCount);
        Interlocked.Add(ref heldBytes, envelope.Body.Length);
        deliveries.Writer.TryWrite(new RedisPubSubDelivery(this, envelope, earlierDeliveries: 0).ToDelivery());
        drops.Tell();
    }

    private async Task StopAsync()
    {
        await transport.SettlePublishesAsync(CloseTimeout);
        await Task.WhenAll(queues.Select(queue => queue.UnsubscribeAsync())).WaitAsync(CloseTimeout, names.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await stop.CancelAsync();
        await Task.WhenAll(loops).WaitAsync(CloseTimeout, names.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // What was buffered is nowhere else: it is handed out to the last.
        deliveries.Writer.TryComplete();
        drops.Tell(atOnce: true);
    }

    private async Task CloseAsync()
    {
        await StopIntakeAsync();
        transport.Leave(this);
        if (Interlocked.Read(ref heldCount) is > 0 and var lost)
        {
            log.LostAtClose(lost, subscription.Name);
        }

        stop.Dispose();
    }
}
