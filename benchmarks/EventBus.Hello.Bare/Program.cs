// A minimal application with a queue: a generic host, and a service that reads a channel.
using System.Threading.Channels;
using EventBus.Hello;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

var builder = Host.CreateApplicationBuilder(args);
builder.Services.AddSingleton(Channel.CreateBounded<OrderPlaced>(1024));
builder.Services.AddHostedService<Receipts>();
using var host = builder.Build();
await host.StartAsync();
await host.Services.GetRequiredService<Channel<OrderPlaced>>().Writer.WriteAsync(new OrderPlaced("1"));
await Receipts.Sent.Task;
await host.StopAsync();

internal sealed record OrderPlaced(string OrderId);

internal sealed class Receipts(Channel<OrderPlaced> orders) : BackgroundService
{
    public static TaskCompletionSource Sent { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var order in orders.Reader.ReadAllAsync(stoppingToken))
        {
            HelloSign.Give();
            Sent.SetResult();
        }
    }
}
