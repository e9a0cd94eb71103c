using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Load;

/// <summary>One event in flight: from the publish call to the first line of the handler, against a write to a raw channel and its reader.</summary>
internal static class Latency
{
    private const double MostTimes = 3;

    public static async Task<bool> RunAsync(bool isShort)
    {
        var events = isShort ? 50_000 : 100_000;
        var rounds = isShort ? 5 : 15;
        Console.WriteLine();
        Console.WriteLine($"In memory, one event in flight: {rounds} interleaved pairs of {events:N0} events");
        _ = await RawAsync(events);
        _ = await BusAsync(events);
        var (raw, bus) = (new List<double[]>(), new List<double[]>());
        for (var i = 0; i < rounds; i++)
        {
            raw.Add(await RawAsync(events));
            bus.Add(await BusAsync(events));
        }

        foreach (var (name, all) in new[] { ("raw channel", raw), ("event bus  ", bus) })
        {
            Console.WriteLine($"  {name} p50 {Figures.Median(all.Select(s => Figures.Percentile(s, 0.5))),6:0.00} us, p99 {Figures.Median(all.Select(s => Figures.Percentile(s, 0.99))),6:0.00} us");
        }

        var times = Figures.Median(bus.Zip(raw, (b, r) => Figures.Percentile(b, 0.5) / Figures.Percentile(r, 0.5)));
        return Figures.Bar(times <= MostTimes, $"p50 is {times:0.00} times that of the raw channel, at most {MostTimes:0.00} (median of the pairs)");
    }

    private static async Task<double[]> BusAsync(int events)
    {
        var probe = new Probe(events);
        using var host = await Workload.StartAsync(bus => bus.UseInMemory().Subscribe<OrderPlaced, ProbingHandler>(), probe, new ProbingHandler(probe));
        var bus = host.Services.GetRequiredService<IEventBus>();
        for (var i = 0; i < events; i++)
        {
            var arrival = probe.Begin();
            await bus.PublishAsync(Workload.Events[i & 1023]);
            await arrival;
        }

        await host.StopAsync();
        return probe.Sorted();
    }

    private static async Task<double[]> RawAsync(int events)
    {
        var probe = new Probe(events);
        var channel = Channel.CreateBounded<OrderPlaced>(new BoundedChannelOptions(Workload.ChannelCapacity) { SingleReader = true });
        var reading = Task.Run(async () =>
        {
            while (await channel.Reader.WaitToReadAsync())
            {
                while (channel.Reader.TryRead(out _))
                {
                    probe.Arrive();
                }
            }
        });
        for (var i = 0; i < events; i++)
        {
            var arrival = probe.Begin();
            await channel.Writer.WriteAsync(Workload.Events[i & 1023]);
            await arrival;
        }

        channel.Writer.Complete();
        await reading;
        return probe.Sorted();
    }

    /// <summary>Times one event after the other.</summary>
    private sealed class Probe(int events)
    {
        private readonly double[] microseconds = new double[events];
        private TaskCompletionSource arrived = new();
        private long startedAt;
        private int count;

        public Task Begin()
        {
            arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            startedAt = Stopwatch.GetTimestamp();
            return arrived.Task;
        }

        public void Arrive()
        {
            // In the clock's own ticks: a TimeSpan's would be too coarse.
            microseconds[count++] = (Stopwatch.GetTimestamp() - startedAt) * 1e6 / Stopwatch.Frequency;
            arrived.SetResult();
        }

        public double[] Sorted() => [.. microseconds.Order()];
    }

    private sealed class ProbingHandler(Probe probe) : IEventHandler<OrderPlaced>
    {
        public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken)
        {
            probe.Arrive();
            return Task.CompletedTask;
        }
    }
}
