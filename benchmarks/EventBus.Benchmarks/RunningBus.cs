using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Benchmarks;

/// <summary>A bus in memory whose subscriptions only count.</summary>
internal sealed class RunningBus
{
    /// <summary>The capacity of a subscription's queue, and of a raw channel.</summary>
    public const int Capacity = 1_024;

    private readonly IHost host;
    private readonly IEventBus bus;
    private readonly Batch batch;
    private readonly int subscriptions;

    private RunningBus(IHost host, Batch batch, int subscriptions)
    {
        (this.host, this.batch, this.subscriptions) = (host, batch, subscriptions);
        bus = host.Services.GetRequiredService<IEventBus>();
    }

    public static async Task<RunningBus> StartAsync(int subscriptions)
    {
        var batch = new Batch();
        var host = await Workload.StartAsync(
            bus =>
            {
                bus.UseInMemory(options => options.Capacity = Capacity);
                for (var i = 0; i < subscriptions; i++)
                {
                    bus.Subscribe<OrderPlaced, CountingHandler>($"subscription-{i}");
                }
            },
            services => services.AddSingleton(batch).AddSingleton<CountingHandler>());
        return new RunningBus(host, batch, subscriptions);
    }

    /// <summary>Publishes events one after the other, and completes when every handler has run.</summary>
    public async Task MoveAsync(int events)
    {
        batch.Begin((long)events * subscriptions);
        for (var i = 0; i < events; i++)
        {
            await bus.PublishAsync(Workload.Event(i));
        }

        await batch.Done;
    }

    public Task StopAsync() => Workload.StopAsync(host);
}
