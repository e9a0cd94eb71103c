// A minimal application with the bus.
using System.Text.Json.Serialization;
using EventBus;
using EventBus.Hello;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

var builder = Host.CreateApplicationBuilder(args);
builder.Services.AddEventBus(bus => bus.UseInMemory().UseJson(AppJson.Default).Subscribe<OrderPlaced, SendReceipt>());
using var host = builder.Build();
await host.StartAsync();
await host.Services.GetRequiredService<IEventBus>().PublishAsync(new OrderPlaced("1"));
await SendReceipt.Sent.Task;
await host.StopAsync();

internal sealed record OrderPlaced(string OrderId);

internal sealed class SendReceipt : IEventHandler<OrderPlaced>
{
    public static TaskCompletionSource Sent { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken)
    {
        HelloSign.Give();
        Sent.SetResult();
        return Task.CompletedTask;
    }
}

[JsonSerializable(typeof(OrderPlaced))]
internal sealed partial class AppJson : JsonSerializerContext;
