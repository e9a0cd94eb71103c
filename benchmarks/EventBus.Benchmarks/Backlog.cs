using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Benchmarks;

/// <summary>
/// A bus in memory with a full queue, whose handlers wait until the measurement begins, so that only handling is
/// measured.
/// </summary>
internal sealed class Backlog
{
    /// <summary>The default capacity of the in-memory stores.</summary>
    public const int Events = 100_000;

    private readonly IHost host;
    private readonly Batch batch;
    private readonly TaskCompletionSource gate;

    private Backlog(IHost host, Batch batch, TaskCompletionSource gate) => (this.host, this.batch, this.gate) = (host, batch, gate);

    /// <summary>Starts a bus with one subscription, and publishes the events that it will handle.</summary>
    /// <remarks>The setup of an iteration is synchronous and not measured, so it may block.</remarks>
    public static Backlog Fill(Action<SubscriptionBuilder> configure) => FillAsync(configure).GetAwaiter().GetResult();

    /// <summary>Starts the handlers, and completes when every event was handled.</summary>
    public Task DrainAsync()
    {
        gate.SetResult();
        return batch.Done;
    }

    public void Stop() => Workload.StopAsync(host).GetAwaiter().GetResult();

    private static async Task<Backlog> FillAsync(Action<SubscriptionBuilder> configure)
    {
        var batch = new Batch();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var host = await Workload.StartAsync(
            bus =>
            {
                bus.UseInMemory(options => options.Capacity = Events);
                bus.Event<OrderPlaced>().KeyedBy(e => e.OrderId);
                bus.Subscribe<OrderPlaced, HeldHandler>("backlog", configure);
            },
            services => services.AddSingleton(new HeldHandler(batch, gate.Task)));
        var bus = host.Services.GetRequiredService<IEventBus>();
        batch.Begin(Events);
        for (var i = 0; i < Events; i++)
        {
            await bus.PublishAsync(Workload.Event(i));
        }

        return new Backlog(host, batch, gate);
    }
}
