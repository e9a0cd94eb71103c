using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Benchmarks;

/// <summary>A bus in memory with a full queue, whose handlers wait until the measuring begins: what is measured then is handling alone, and no publisher hides a part of it.</summary>
internal sealed class Backlog
{
    /// <summary>As many as the in-memory stores keep by default.</summary>
    public const int Events = 100_000;

    private readonly IHost host;
    private readonly Batch batch;
    private readonly TaskCompletionSource gate;

    private Backlog(IHost host, Batch batch, TaskCompletionSource gate) => (this.host, this.batch, this.gate) = (host, batch, gate);

    /// <summary>Starts a bus with one subscription, and publishes the events that it will handle.</summary>
    /// <remarks>The setup of an iteration must end before it returns; nothing of it is measured, so that blocking does no harm.</remarks>
    public static Backlog Fill(Action<SubscriptionBuilder> configure) => FillAsync(configure).GetAwaiter().GetResult();

    /// <summary>Lets the handlers go, and completes when every event was handled.</summary>
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
