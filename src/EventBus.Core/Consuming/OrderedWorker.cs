using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>The worker of an ordered subscription: deliveries are dealt to lanes by key, and each lane handles one at a time.</summary>
/// <remarks>A lane is full when it holds its capacity; the pump then waits for it, so that memory stays bounded and the transport's order is kept.</remarks>
internal sealed class OrderedWorker(SubscriptionRuntime subscription, Receiver receiver, DeliveryProcessor processor, int maxParked, WorkerEnvironment environment)
    : SubscriptionWorker(subscription, receiver, processor, environment)
{
    private const int LaneCapacity = 64;

    private readonly Channel<Delivery>[] lanes = [.. Enumerable.Range(0, subscription.Subscription.Concurrency).Select(_ => Channel.CreateBounded<Delivery>(
        new BoundedChannelOptions(LaneCapacity) { SingleReader = true, SingleWriter = true }))];

    private Task[] loops = [];

    public override bool HasEnded => base.HasEnded || loops.Any(loop => loop.IsCompleted);

    public override async Task DrainAsync()
    {
        await base.DrainAsync();
        await Task.WhenAll(loops);
    }

    protected override async Task PumpAsync()
    {
        Environment.InHandler.Value = true;
        loops = [.. lanes.Select((lane, i) => Environment.Runner.Start($"{Name} lane {i}", () => LaneAsync(lane.Reader)))];
        try
        {
            while (await Deliveries.WaitToReadAsync())
            {
                while (Deliveries.TryRead(out var delivery))
                {
                    var lane = lanes[LaneOf(delivery.Envelope.KeyText ?? "")].Writer;
                    if (!lane.TryWrite(delivery))
                    {
                        await lane.WriteAsync(delivery);
                    }
                }
            }
        }
        finally
        {
            foreach (var lane in lanes)
            {
                lane.Writer.Complete();
            }
        }
    }

    private async Task LaneAsync(ChannelReader<Delivery> lane)
    {
        while (await lane.WaitToReadAsync())
        {
            while (lane.TryRead(out var delivery))
            {
                await HandleInOrderAsync(delivery);
            }

            Environment.Idle.Set();
        }
    }

    private async ValueTask HandleInOrderAsync(Delivery delivery)
    {
        await Runtime.Slots.TakeAsync();
        try
        {
            if (Environment.Abort.IsCancellationRequested || delivery.Lost.IsCancellationRequested)
            {
                await delivery.ReleaseAsync();
            }
            else if (await Environment.Failures.TryParkAsync(Runtime.Failure, delivery.Envelope, maxParked, Runtime.Slots))
            {
                await delivery.AckAsync();
            }
            else
            {
                await Processor.HandleAsync(delivery, HandlerToken(Environment.Time.GetTimestamp()));
            }
        }
        catch (Exception) when (Environment.Abort.IsCancellationRequested)
        {
            await delivery.ReleaseAsync();
        }
        catch (Exception exception)
        {
            // Whatever it is, it must not end the lane: the delivery stays with the transport.
            Processor.ReportUnsettled(delivery, exception);
        }
        finally
        {
            Runtime.Slots.GiveBack();
        }
    }

    /// <summary>FNV-1a over the key's characters (Fowler, Noll, Vo; 32 bits): the same lane in every process, unlike the randomised string hash.</summary>
    private int LaneOf(string key)
    {
        var hash = 2_166_136_261u;
        foreach (var c in key)
        {
            hash = (hash ^ c) * 16_777_619u;
        }

        return (int)(hash % (uint)lanes.Length);
    }
}
