using System.Text.Json.Serialization;
using EventBus;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

var builder = Host.CreateApplicationBuilder(args);
builder.Services.AddSingleton<Inbox>();
builder.Services.AddEventBus(bus =>
{
    bus.UseInMemory();
    bus.UseJson(AppJson.Default);
    bus.Subscribe<OrderPlaced, SendReceipt>();
});

using var host = builder.Build();
await host.StartAsync();
await host.Services.GetRequiredService<IEventBus>().PublishAsync(new OrderPlaced("1", "ada", 42m));
Console.WriteLine("handled " + await host.Services.GetRequiredService<Inbox>().Handled.Task.WaitAsync(TimeSpan.FromSeconds(10)));
await host.StopAsync();

[EventName("order.placed")]
public sealed record OrderPlaced(string OrderId, string UserId, decimal Total);

public sealed class Inbox
{
    public TaskCompletionSource<string> Handled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}

public sealed class SendReceipt(Inbox inbox) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced e, EventContext context, CancellationToken ct)
    {
        inbox.Handled.TrySetResult(context.EventName);
        return Task.CompletedTask;
    }
}

[JsonSerializable(typeof(OrderPlaced))]
internal sealed partial class AppJson : JsonSerializerContext;
