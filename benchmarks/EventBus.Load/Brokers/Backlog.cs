using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Load;

/// <summary>A backlog at the broker and a slow handler: what waits there is not in this process, so that its memory stays where it was.</summary>
internal static class Backlog
{
    private const int Checkpoints = 10;
    private const int ListSize = 10_000;
    private const int Concurrency = 32;

    // As for the ordered lanes: what the runtime itself may move by. The backlog in memory would be several hundred MiB.
    private const double MostGrowthMiB = 32;

    private static readonly TimeSpan Work = TimeSpan.FromMilliseconds(2);

    public static async Task<bool> RunAsync(Action<EventBusBuilder> useBroker, bool isShort)
    {
        var events = isShort ? 50_000 : 1_000_000;
        var slow = new SlowHandler(events);
        using var host = await Workload.StartAsync(bus =>
        {
            bus.Configure(options => options.ServiceName = "load");
            useBroker(bus);
            bus.Subscribe("slow", s => s.Concurrency(Concurrency).On<ParcelWeighed>(slow.HandleAsync));
        });
        var bus = host.Services.GetRequiredService<IEventBus>();
        for (var sent = 0; sent < events; sent += ListSize)
        {
            await bus.PublishManyAsync([.. Enumerable.Range(sent, ListSize).Select(i => new ParcelWeighed(Guid.CreateVersion7(), $"parcel-{i:D8}", $"scale-{i:D8}", 19.99m + i, i))]);
        }

        var startedAt = Stopwatch.GetTimestamp();
        slow.Begin();
        await slow.Done;
        var elapsed = Stopwatch.GetElapsedTime(startedAt);
        await host.StopAsync();
        var memory = slow.Memory;
        var growth = memory[^1] - memory[1];
        Console.WriteLine($"  a backlog of {events:N0} events, a handler of {Work.TotalMilliseconds:0} ms, {Concurrency} at once: {events / elapsed.TotalSeconds:N0} events/s; working set in MiB at each tenth: {string.Join(" ", memory.Select(m => m.ToString("0")))}");
        return Figures.Bar(growth <= MostGrowthMiB, $"working set grew by {growth:0.0} MiB after the second tenth, at most {MostGrowthMiB:0}");
    }

    /// <summary>In no stream and no queue of the other measurements; as large as their event.</summary>
    [EventName("parcel.weighed")]
    public sealed record ParcelWeighed(Guid Id, string ParcelId, string ScaleId, decimal Weight, long Timestamp);

    /// <summary>Holds the first events until the backlog is there, and then takes its time for each.</summary>
    private sealed class SlowHandler(int events)
    {
        private readonly TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Countdown countdown = new(events);
        private int handled;

        public double[] Memory { get; } = new double[Checkpoints];

        public Task Done => countdown.Done;

        public void Begin() => begun.SetResult();

        public async Task HandleAsync(ParcelWeighed e, EventContext context, CancellationToken cancellationToken)
        {
            await begun.Task.WaitAsync(cancellationToken);
            await Task.Delay(Work, cancellationToken);
            var part = events / Checkpoints;
            if (Interlocked.Increment(ref handled) is var number && number <= events && number % part == 0)
            {
                Memory[(number / part) - 1] = Process.GetCurrentProcess().WorkingSet64 / 1024.0 / 1024.0;
            }

            countdown.Count();
        }
    }
}
