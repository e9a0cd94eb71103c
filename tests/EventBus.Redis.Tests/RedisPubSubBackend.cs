using System.Text;
using System.Text.Json.Nodes;
using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>Redis Pub/Sub under test, with the stores of Redis.</summary>
public sealed class RedisPubSubBackend : Backend, IAsyncLifetime
{
    private const string ClientName = "conformance";

    private readonly PrivateRedis server = new();

    public override string Name => "Redis Pub/Sub";

    public override bool CanPublishForeign => true;

    public override bool CanSeverConnections => true;

    public override bool CanRestartBroker => true;

    public override IReadOnlyList<string> Secrets => [Canary.Password];

    public async ValueTask InitializeAsync() => await server.StartAsync();

    public async ValueTask DisposeAsync() => await server.DisposeAsync();

    public override Transport CreateTransport(TransportSetup setup)
    {
        var log = setup.Services.GetRequiredService<ILoggerFactory>().CreateLogger("EventBus.Redis");
        var connector = new RedisConnector(
            ConfigurationOptions.Parse($"{server.Address},name={ClientName}"),
            "bus.UseRedisPubSub(...)",
            log);
        return new RedisPubSubTransport(connector, new RedisPubSubOptions { KeyPrefix = setup.Isolation }, log);
    }

    public override void AddStores(EventBusBuilder bus, string isolation) =>
        bus.StoreInRedis($"{server.Address},name={ClientName}", redis => redis.KeyPrefix = isolation);

    public override async Task PublishForeignAsync(string isolation, ForeignMessage message, CancellationToken cancellationToken)
    {
        await using var admin = await ConnectAsync(cancellationToken);
        await admin.GetDatabase()
            .PublishAsync(RedisChannel.Literal($"{isolation}:{message.EventName}"), Written(message))
            .WaitAsync(cancellationToken);
    }

    /// <summary>Returns the body alone, or an envelope with the body as its data.</summary>
    private static ReadOnlyMemory<byte> Written(ForeignMessage message)
    {
        if (message.Attributes.Count == 0)
        {
            return message.Body;
        }

        var json = new JsonObject { ["specversion"] = "1.0" };
        foreach (var (name, value) in message.Attributes.Concat(message.Headers))
        {
            json[name] = value;
        }

        json["data"] = JsonNode.Parse(message.Body.Span);
        return Encoding.UTF8.GetBytes(json.ToJsonString());
    }

    public override async Task SeverConnectionsAsync(CancellationToken cancellationToken)
    {
        await using var admin = await ConnectAsync(cancellationToken);
        await TestRedis.KillConnectionsAsync(admin, ClientName).WaitAsync(cancellationToken);
    }

    public override async Task RestartBrokerAsync(CancellationToken cancellationToken)
    {
        await server.KillAsync();
        await server.StartAsync();
    }

    private async Task<ConnectionMultiplexer> ConnectAsync(CancellationToken cancellationToken) =>
        await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true").WaitAsync(cancellationToken);
}
