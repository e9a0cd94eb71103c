using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Load;

/// <summary>One publisher that awaits each publish, one or more subscriptions with a singleton handler, until every handler has run; against as many raw bounded channels with one reader each.</summary>
internal static class Throughput
{
    private const double BytesOfFirst = 160;
    private const double BytesOfFurther = 40;
    private const double LeastRatio = 0.4;

    public static async Task<bool> RunAsync(int subscriptions, bool isShort)
    {
        var events = (isShort ? 1_500_000 : 3_000_000) / subscriptions;
        var pairs = isShort ? 5 : 15;
        Console.WriteLine();
        Console.WriteLine($"In memory, 1 publisher, {subscriptions} subscription(s), end to end: {events:N0} events, {pairs} interleaved pairs, capacity {Workload.ChannelCapacity}");
        _ = await BusAsync(events, subscriptions);
        _ = await RawAsync(events, subscriptions);
        var (bus, raw) = (new List<Sample>(), new List<Sample>());
        for (var i = 0; i < pairs; i++)
        {
            // The order changes from pair to pair, so that neither always runs on the warmer machine.
            if (i % 2 == 0)
            {
                raw.Add(await RawAsync(events, subscriptions));
                bus.Add(await BusAsync(events, subscriptions));
            }
            else
            {
                bus.Add(await BusAsync(events, subscriptions));
                raw.Add(await RawAsync(events, subscriptions));
            }
        }

        var ratio = Figures.Median(bus.Zip(raw, (b, r) => b.EventsPerSecond / r.EventsPerSecond));
        var bytes = Figures.Median(bus.Select(sample => sample.BytesPerEvent));
        var allowed = BytesOfFirst + ((subscriptions - 1) * BytesOfFurther);
        Console.WriteLine($"  raw channel {Figures.Median(raw.Select(s => s.EventsPerSecond)) / 1e6,6:0.00} M events/s {Figures.Median(raw.Select(s => s.BytesPerEvent)),6:0} B/event");
        Console.WriteLine($"  event bus   {Figures.Median(bus.Select(s => s.EventsPerSecond)) / 1e6,6:0.00} M events/s {bytes,6:0} B/event");
        return Figures.Bar(ratio >= LeastRatio, $"ratio {ratio:0.00}, at least {LeastRatio:0.00} (median of the pairs)")
            & Figures.Bar(bytes <= allowed, $"{bytes:0} B an event, at most {allowed:0}");
    }

    private static async Task<Sample> BusAsync(int events, int subscriptions)
    {
        var countdown = new Countdown((long)events * subscriptions);
        using var host = await Workload.StartAsync(
            bus =>
            {
                bus.UseInMemory(options => options.Capacity = Workload.ChannelCapacity);
                for (var i = 0; i < subscriptions; i++)
                {
                    bus.Subscribe<OrderPlaced, CountingHandler>($"subscription-{i}");
                }
            },
            countdown,
            new CountingHandler(countdown));
        var bus = host.Services.GetRequiredService<IEventBus>();
        var sample = await Sample.OfAsync(events, async () =>
        {
            for (var i = 0; i < events; i++)
            {
                await bus.PublishAsync(Workload.Events[i & 1023]);
            }

            await countdown.Done;
        });
        await host.StopAsync();
        return sample;
    }

    private static async Task<Sample> RawAsync(int events, int readers)
    {
        var countdown = new Countdown((long)events * readers);
        var channels = Enumerable.Range(0, readers).Select(_ => Channel.CreateBounded<OrderPlaced>(new BoundedChannelOptions(Workload.ChannelCapacity) { SingleReader = true })).ToArray();
        var reading = channels.Select(channel => Task.Run(() => ReadAsync(channel.Reader, countdown))).ToArray();
        var sample = await Sample.OfAsync(events, async () =>
        {
            for (var i = 0; i < events; i++)
            {
                foreach (var channel in channels)
                {
                    await channel.Writer.WriteAsync(Workload.Events[i & 1023]);
                }
            }

            await countdown.Done;
        });
        foreach (var channel in channels)
        {
            channel.Writer.Complete();
        }

        await Task.WhenAll(reading);
        return sample;
    }

    private static async Task ReadAsync(ChannelReader<OrderPlaced> reader, Countdown countdown)
    {
        while (await reader.WaitToReadAsync())
        {
            while (reader.TryRead(out _))
            {
                countdown.Count();
            }
        }
    }

    private sealed class CountingHandler(Countdown countdown) : IEventHandler<OrderPlaced>
    {
        public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken)
        {
            countdown.Count();
            return Task.CompletedTask;
        }
    }
}
