// Arguments: a folder for the file, where Redis is, and where RabbitMQ is if it is to be used.
using System.Data.Common;
using System.Text.Json.Serialization;
using EventBus;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

var builder = Host.CreateApplicationBuilder();
builder.Logging.AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
builder.Services.AddSingleton<Inbox>();
builder.Services.AddEventBus(bus => bus.UseInMemory().UseJson(AppJson.Default).Subscribe<OrderPlaced, SendReceipt>());

// The same events on buses whose stores are elsewhere, with settings in code and from configuration. Each event fails
// once, and each copy is recognised.
builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
{
    ["EventBus:Retry:Delay"] = "00:00:00.05",
    ["EventBus:Retry:BackoffFactor"] = "2",
    ["EventBus:Subscriptions:mail:Retry:MaxRetryAttempts"] = "3",
    ["EventBus:InMemory:Capacity"] = "1000",
    ["EventBus:Sqlite:ConnectionString"] = $"Data Source={Path.Combine(args[0], "shop.db")}",
    ["EventBus:Sqlite:BusyTimeout"] = "00:00:10",
    ["EventBus:Redis:ConnectionString"] = args[1],
    ["EventBus:Redis:MaxLength"] = "1000",
});
var section = builder.Configuration.GetSection("EventBus");
var buses = new List<string> { "sqlite", "redis", "redis-store" };
builder.Services.AddKeyedEventBus(
    "sqlite",
    bus => Subscribe(bus.UseInMemory(section.GetSection("InMemory")).StoreInSqlite(section.GetSection("Sqlite")))
        .Configure(section)
        .Subscribe("ledger", s => s.On<OrderPlaced, Book>().Idempotent()));
builder.Services.AddKeyedEventBus("redis", bus => Subscribe(bus.UseRedis(section.GetSection("Redis"))).Configure(section));
builder.Services.AddKeyedEventBus(
    "redis-store",
    bus => Subscribe(bus.UseInMemory().StoreInRedis(args[1], redis => redis.KeyPrefix = "store")));
if (args.Length > 2)
{
    buses.Add("rabbitmq");
    builder.Services.AddKeyedEventBus(
        "rabbitmq",
        bus => Subscribe(bus.UseRabbitMq(args[2]).StoreInSqlite($"Data Source={Path.Combine(args[0], "rabbitmq.db")}")));
}

using var host = builder.Build();
await host.StartAsync();
var inbox = host.Services.GetRequiredService<Inbox>();
var order = new OrderPlaced("1", "ada", 42m);
await host.Services.GetRequiredService<IEventBus>().PublishAsync(order);
Console.WriteLine("handled " + await inbox.ReceiptSent.Task.WaitAsync(TimeSpan.FromSeconds(10)));
foreach (var name in buses)
{
    var bus = host.Services.GetRequiredKeyedService<IEventBus>(name);
    for (var copy = 0; copy < 2; copy++)
    {
        await bus.PublishAsync(order, new PublishOptions { EventId = $"{name}-1" });
    }

    var starts = await inbox.WhenDoneAsync($"{name}+mail~{name}-1");
    await bus.PublishAsync(new OrderPlaced("refused", "ada", 1m), new PublishOptions { EventId = $"{name}-2" });
    var letters = host.Services.GetRequiredKeyedService<IDeadLetters>(name);
    while (await letters.CountAsync() == 0)
    {
        await Task.Delay(20);
    }

    var dead = (await letters.ListAsync())[0];
    Console.WriteLine($"{name}: {dead.EventId} is a dead letter ({dead.Reason}), the other was handled at start {starts}");
}

Console.WriteLine("booked " + await inbox.WhenDoneAsync("sqlite+ledger~sqlite-1") + " order");
await host.StopAsync();

// By now every copy was handled, or recognised.
Console.WriteLine("handlers that ran more often than they should: " + inbox.Surplus);
return inbox.Surplus;

static EventBusBuilder Subscribe(EventBusBuilder bus) => bus
    .UseJson(AppJson.Default)
    .Retry(3, TimeSpan.FromMilliseconds(50))
    .DeadLetterOn<NotSupportedException>()
    .Subscribe("mail", s => s.On<OrderPlaced, FailOnce>().Idempotent());

[EventName("order.placed")]
public sealed record OrderPlaced(string OrderId, string UserId, decimal Total);

public sealed class Inbox
{
    private readonly Dictionary<string, int> starts = [];
    private readonly Dictionary<string, TaskCompletionSource<int>> done = [];

    public TaskCompletionSource<string> ReceiptSent { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int Surplus { get; private set; }

    public int Start(string key)
    {
        lock (starts)
        {
            return starts[key] = starts.GetValueOrDefault(key) + 1;
        }
    }

    public void Done(string key, int start)
    {
        if (!Of(key).TrySetResult(start))
        {
            Surplus++;
        }
    }

    public Task<int> WhenDoneAsync(string key) => Of(key).Task.WaitAsync(TimeSpan.FromSeconds(20));

    private TaskCompletionSource<int> Of(string key)
    {
        lock (done)
        {
            return done.TryGetValue(key, out var found) ? found : done[key] = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}

public sealed class SendReceipt(Inbox inbox) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced e, EventContext context, CancellationToken ct)
    {
        inbox.ReceiptSent.TrySetResult(context.EventName);
        return Task.CompletedTask;
    }
}

public sealed class FailOnce(Inbox inbox) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced e, EventContext context, CancellationToken ct)
    {
        if (e.OrderId == "refused")
        {
            throw new NotSupportedException("This order cannot be handled.");
        }

        var start = inbox.Start(context.IdempotencyKey);
        if (start == 1)
        {
            throw new IOException("The mail server is down.");
        }

        inbox.Done(context.IdempotencyKey, start);
        return Task.CompletedTask;
    }
}

public sealed class Book(Inbox inbox) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced e, EventContext context, CancellationToken ct)
    {
        context.OnCommit(async (transaction, token) =>
        {
            await using var command = transaction.Connection!.CreateCommand();
            command.Transaction = transaction;
            command.CommandText =
                "CREATE TABLE IF NOT EXISTS ledger (entry TEXT); INSERT INTO ledger (entry) VALUES (@entry); SELECT count(*) FROM ledger";
            DbParameter entry = command.CreateParameter();
            (entry.ParameterName, entry.Value) = ("@entry", context.IdempotencyKey);
            command.Parameters.Add(entry);
            inbox.Done(context.IdempotencyKey, Convert.ToInt32(await command.ExecuteScalarAsync(token)));
        });
        return Task.CompletedTask;
    }
}

[JsonSerializable(typeof(OrderPlaced))]
internal sealed partial class AppJson : JsonSerializerContext;
