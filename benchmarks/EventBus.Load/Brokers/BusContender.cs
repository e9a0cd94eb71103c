using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Load;

/// <summary>The bus with one subscription and a singleton handler.</summary>
internal sealed class BusContender : Contender
{
    /// <summary>How many events the subscription may handle at once. The transports hold four times as many unsettled: what the raw clients do.</summary>
    public const int Concurrency = 64;

    private IHost? host;
    private IEventBus? bus;

    public static async Task<Contender> StartAsync(Action<EventBusBuilder> useBroker)
    {
        var contender = new BusContender();
        contender.host = await Workload.StartAsync(
            bus =>
            {
                bus.Configure(options => options.ServiceName = "load");
                useBroker(bus);
                bus.Subscribe<OrderPlaced, ArrivalHandler>("bus", s => s.Concurrency(Concurrency));
            },
            new ArrivalHandler(contender));
        contender.bus = contender.host.Services.GetRequiredService<IEventBus>();
        return contender;
    }

    public override Task PublishAsync(OrderPlaced @event) => bus!.PublishAsync(@event);

    public override Task PublishManyAsync(IReadOnlyList<OrderPlaced> events) => bus!.PublishManyAsync(events);

    public override async ValueTask DisposeAsync()
    {
        await host!.StopAsync();
        host.Dispose();
    }

    private sealed class ArrivalHandler(BusContender contender) : IEventHandler<OrderPlaced>
    {
        public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken)
        {
            contender.Arrived();
            return Task.CompletedTask;
        }
    }
}
