using EventBus;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

var builder = Host.CreateApplicationBuilder(args);
builder.Services.AddEventBus(bus =>
{
    bus.UseInMemory();
    bus.Subscribe<OrderPlaced, SendReceipt>();
});
using var host = builder.Build();
await host.StartAsync();
await host.Services.GetRequiredService<IEventBus>().PublishAsync(new OrderPlaced("4711", "ada", 59.90m));
await host.StopAsync();

public sealed record OrderPlaced(string OrderId, string UserId, decimal Total);

public sealed class SendReceipt : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced e, EventContext context, CancellationToken cancellationToken) =>
        Console.Out.WriteLineAsync($"Receipt for order {e.OrderId}: {e.Total:0.00} (event {context.EventName})");
}
