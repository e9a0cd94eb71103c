// The .NET side of eng/check-interop. Its argument is the backend, its address is in INTEROP_ADDRESS. Every line on the
// standard output is a JSON object; the line "publish" on the standard input publishes an event, and its end ends the
// program.
using System.Text.Json;
using Confluent.Kafka;
using EventBus;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

var address = Environment.GetEnvironmentVariable("INTEROP_ADDRESS")
    ?? throw new InvalidOperationException("INTEROP_ADDRESS does not say where the server is.");
var builder = Host.CreateApplicationBuilder();
builder.Logging.AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace).SetMinimumLevel(LogLevel.Error);
builder.Services.AddEventBus(bus =>
{
    _ = args[0] switch
    {
        "rabbitmq" => bus.UseRabbitMq(address).StoreInMemory(),
        "kafka" or "kafka-tools" => bus.UseKafka(address, kafka => kafka.ConfigureClient(SignIn)).StoreInMemory(),
        "redis-streams" => bus.UseRedis(address),
        "redis-pubsub" => bus.UseRedisPubSub(address),
        var other => throw new ArgumentException($"There is no backend '{other}'."),
    };
    bus.Configure(options => options.ServiceName = "interop").Publishes<OrderEchoed>().Publishes<OrderShipped>();
    bus.Subscribe<OrderPlaced>("echo", async (order, context, cancellationToken) =>
    {
        Say(new
        {
            handled = new
            {
                order.OrderId,
                order.Total,
                id = context.EventId,
                source = context.Source,
                time = context.Time,
                key = context.Key,
                headers = context.Headers,
            },
        });

        // Under the id of the first, so that it can be compared.
        await context.PublishAsync(
            new OrderEchoed(order.OrderId, context.Source, context.Time),
            new PublishOptions { EventId = context.EventId, Key = context.Key, Headers = context.Headers },
            cancellationToken);
    });
});

using var host = builder.Build();
await host.StartAsync();
Say(new { started = true });
while (await Console.In.ReadLineAsync() == "publish")
{
    var id = $"net-{args[0]}";
    await host.Services.GetRequiredService<IEventBus>().PublishAsync(new OrderShipped("4711"), new PublishOptions { EventId = id });
    Say(new { published = id });
}

await host.StopAsync();

// The users of other brokers are part of their addresses.
static void SignIn(ClientConfig client) =>
    (client.SecurityProtocol, client.SaslMechanism, client.SaslUsername, client.SaslPassword) = (
        SecurityProtocol.SaslPlaintext, SaslMechanism.Plain, "bus", Environment.GetEnvironmentVariable("EVENTBUS_TEST_CANARY"));

static void Say(object line) => Console.WriteLine(JsonSerializer.Serialize(line, JsonSerializerOptions.Web));

internal sealed record OrderPlaced(string OrderId, decimal Total);

internal sealed record OrderShipped(string OrderId);

internal sealed record OrderEchoed(string OrderId, string? Source, DateTimeOffset Time);
