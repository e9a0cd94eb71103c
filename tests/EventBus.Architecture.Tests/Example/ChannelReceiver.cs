using System.Collections.Concurrent;
using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus.Architecture.Tests.Example;

/// <summary>Takes messages from a queue, and returns the unsettled ones when it closes.</summary>
internal sealed class ChannelReceiver : Receiver, IDeliverySettler
{
    private readonly ChannelQueue queue;
    private readonly Channel<Delivery> buffer;
    private readonly ConcurrentDictionary<long, ChannelMessage> unsettled = new();
    private readonly CancellationTokenSource stop = new();
    private readonly CancellationTokenSource lost = new();
    private readonly Task pump;

    public ChannelReceiver(ChannelQueue queue)
    {
        this.queue = queue;
        buffer = Channel.CreateBounded<Delivery>(queue.Subscription.Concurrency);
        pump = PumpAsync(stop.Token);
    }

    public override ChannelReader<Delivery> Deliveries => buffer.Reader;

    public ValueTask AckAsync(in Delivery delivery)
    {
        if (unsettled.TryRemove(delivery.Token, out _))
        {
            queue.Remove();
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        if (unsettled.TryRemove(delivery.Token, out var message))
        {
            queue.Return(message);
        }

        return ValueTask.CompletedTask;
    }

    public override async ValueTask StopIntakeAsync()
    {
        await stop.CancelAsync();
        await pump;
        buffer.Writer.TryComplete();
        while (buffer.Reader.TryRead(out var delivery))
        {
            await ReleaseAsync(delivery);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await StopIntakeAsync();
        await lost.CancelAsync();
        foreach (var tag in unsettled.Keys)
        {
            if (unsettled.TryRemove(tag, out var message))
            {
                queue.Return(message);
            }
        }
    }

    private async Task PumpAsync(CancellationToken stopping)
    {
        try
        {
            // Waits for space in the buffer first: a cancelled wait must not hold a message that was taken.
            for (long tag = 0; await buffer.Writer.WaitToWriteAsync(stopping); tag++)
            {
                var message = unsettled[tag] = await queue.TakeAsync(stopping);
                buffer.Writer.TryWrite(new Delivery(ChannelWireFormat.Read(message), this, tag, lost: lost.Token));
            }
        }
        catch (OperationCanceledException)
        {
            // The intake has stopped.
        }
    }
}
