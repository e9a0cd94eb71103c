using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using EventBus.Conformance;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Kafka.Tests;

/// <summary>
/// Forwards from RabbitMQ to Kafka. Skipped unless both are there: <c>./test Kafka RabbitMq</c> starts both.
/// </summary>
[NeedsBroker]
public sealed class ForwardTests
{
    private const int Keys = 5, EventsPerKey = 20;

    private static readonly string? RabbitMq = Environment.GetEnvironmentVariable("EVENTBUS_TEST_RABBITMQ");

    private readonly string name = TestBroker.NewName();

    private string Topic => $"{name}-order-events";

    [Fact]
    public async Task Forward_FromRabbitMqToKafka_KeepsIdsAttributesBytesAndOrder()
    {
        Assert.SkipWhen(string.IsNullOrEmpty(RabbitMq), "The test needs RabbitMQ too: run ./test Kafka RabbitMq.");
        using var host = Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        var bus = host.Services.GetRequiredService<IEventBus>();
        for (var i = 0; i < Keys * EventsPerKey; i++)
        {
            await bus.PublishAsync(
                new OrderSeen($"{i}"),
                new PublishOptions
                {
                    EventId = $"{name}-{i}",
                    Key = $"k{i % Keys}",
                    CorrelationId = "process-1",
                    Headers = new Dictionary<string, string> { ["tenant"] = "ä" },
                },
                TestContext.Current.CancellationToken);
        }

        var records = RawClient.Read(Topic, Keys * EventsPerKey);
        await host.StopAsync(TestContext.Current.CancellationToken);

        var sent = records.ConvertAll(record => record.Message.Headers.ToDictionary(
            header => header.Key,
            header => Encoding.UTF8.GetString(header.GetValueBytes())));
        Assert.All(sent, headers =>
        {
            Assert.Equal(("order.seen", "process-1", "ä"), (headers["ce_type"], headers["ce_correlationid"], headers["tenant"]));
            Assert.Equal((name, name), (headers["ce_source"], headers["eventbus.forwarded-by"]));
        });
        var byKey = records.GroupBy(record => Encoding.UTF8.GetString(record.Message.Key!)).ToList();
        Assert.Equal(Keys, byKey.Count);
        Assert.All(byKey, key =>
        {
            var first = int.Parse(key.Key[1..], CultureInfo.InvariantCulture);
            Assert.Equal(
                Enumerable.Range(0, EventsPerKey).Select(i => $"{(i * Keys) + first}"),
                key.Select(record => (string?)JsonNode.Parse(record.Message.Value)!["orderId"]));
        });
        Assert.Equal(
            Enumerable.Range(0, Keys * EventsPerKey).Select(i => $"{name}-{i}").ToHashSet(),
            sent.Select(headers => headers["ce_id"]).ToHashSet());
    }

    [Fact]
    public void Recipe_OfTheDocumentation_AddsBothBuses()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        ForwardRecipe.Add(builder.Services, builder.Configuration);
        using var host = builder.Build();

        Assert.NotSame(
            host.Services.GetRequiredService<IEventBus>(),
            host.Services.GetRequiredKeyedService<IEventBus>("analytics"));
    }

    private IHost Build()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(Canary.Log);
        builder.Services.AddEventBus(bus => bus
            .UseRabbitMq(RabbitMq!, options => options.Exchange = name)
            .StoreInMemory()
            .Configure(options => options.ServiceName = name)
            .Publishes<OrderSeen>()
            .Forward("order.*", to: "analytics"));
        builder.Services.AddKeyedEventBus("analytics", bus => bus
            .UseKafka(options =>
            {
                options.ConnectionString = TestBroker.Address;
                options.TopicFormat = $"{name}-{{word}}-events";
                options.ConfigureClient(TestBroker.SignIn);
            })
            .StoreInMemory()
            .Configure(options => options.ServiceName = name));
        return builder.Build();
    }

    private sealed record OrderSeen(string OrderId);
}
