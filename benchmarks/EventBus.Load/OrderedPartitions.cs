using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Load;

/// <summary>
/// Sends millions of events through many keys and 16 partitions, and checks the order of every key and the memory.
/// </summary>
internal static class OrderedPartitions
{
    private const int Keys = 1_000;
    private const int Partitions = 16;
    private const int Checkpoints = 10;

    // The fluctuation of the runtime itself; a leak of one object per event would be a hundred times this.
    private const double MostGrowthMiB = 32;

    public static async Task<bool> RunAsync(bool isShort)
    {
        var events = isShort ? 500_000 : 10_000_000;
        Console.WriteLine();
        Console.WriteLine($"In memory, ordered: {events:N0} events, {Keys:N0} keys, {Partitions} partitions");
        var keys = Enumerable.Range(0, Keys).Select(i => $"key-{i}").ToArray();
        var order = new OrderCheck(events);
        using var host = await Workload.StartAsync(bus =>
            {
                bus.UseInMemory();
                bus.Event<Numbered>().KeyedBy(e => keys[e.Key]);
                bus.Subscribe("ordered", s => s.Ordered().Concurrency(Partitions).On<Numbered>(order.HandleAsync));
            });
        var bus = host.Services.GetRequiredService<IEventBus>();
        var memory = new List<double>();
        var startedAt = Stopwatch.GetTimestamp();
        for (var i = 0; i < events; i++)
        {
            await bus.PublishAsync(new Numbered(i % Keys, i / Keys));
            if ((i + 1) % (events / Checkpoints) == 0)
            {
                memory.Add(Process.GetCurrentProcess().WorkingSet64 / 1024.0 / 1024.0);
            }
        }

        await order.WaitAsync();
        var elapsed = Stopwatch.GetElapsedTime(startedAt);
        await host.StopAsync();
        Console.WriteLine($"  {events / elapsed.TotalSeconds / 1e6:0.00} M events/s; working set in MiB at each tenth: "
            + $"{string.Join(" ", memory.Select(m => m.ToString("0")))}");
        var growth = memory[^1] - memory[1];
        return Bar(order.Violations == 0, $"{order.Violations} order violations, 0 allowed")
            & Bar(growth <= MostGrowthMiB, $"working set grew by {growth:0.0} MiB after the second tenth, at most {MostGrowthMiB:0}");
    }

    private static bool Bar(bool met, string text)
    {
        Console.WriteLine($"  {(met ? "met   " : "MISSED")} {text}");
        return met;
    }

    [EventName("number.made")]
    public sealed record Numbered(int Key, int Number);

    private sealed class OrderCheck(int events)
    {
        // One partition at a time handles a key, so its entry needs no lock: a race here would be a violation too.
        private readonly int[] next = new int[Keys];
        private readonly Countdown countdown = new(events);
        private int violations;

        public int Violations => violations;

        public Task WaitAsync() => countdown.WaitAsync();

        public Task HandleAsync(Numbered e, EventContext context, CancellationToken cancellationToken)
        {
            if (next[e.Key]++ != e.Number)
            {
                Interlocked.Increment(ref violations);
            }

            countdown.Count();
            return Task.CompletedTask;
        }
    }
}
