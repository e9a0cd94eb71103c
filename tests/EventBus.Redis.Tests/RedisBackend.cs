using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>Redis Streams under test, on a server that may be killed, with its own stores.</summary>
public sealed class RedisBackend : Backend, IAsyncLifetime
{
    private const string ClientName = "conformance";

    private readonly PrivateRedis server = new();

    public override string Name => "Redis Streams";

    public override bool CanPublishForeign => true;

    public override bool CanSeverConnections => true;

    public override bool CanRestartBroker => true;

    public override IReadOnlyList<string> Secrets => [Canary.Password];

    public async ValueTask InitializeAsync() => await server.StartAsync();

    public async ValueTask DisposeAsync() => await server.DisposeAsync();

    public override Transport CreateTransport(TransportSetup setup)
    {
        var log = setup.Services.GetRequiredService<ILoggerFactory>().CreateLogger("EventBus.Redis");
        var connector = new RedisConnector(ConfigurationOptions.Parse($"{server.Address},name={ClientName}"), "bus.UseRedis(...)", log);
        return new RedisTransport(connector, new RedisOptions { KeyPrefix = setup.Isolation, ClaimAfter = TimeSpan.FromSeconds(3) }, log);
    }

    public override void AddStores(EventBusBuilder bus, string isolation) =>
        bus.StoreInRedis($"{server.Address},name={ClientName}", redis => redis.KeyPrefix = isolation);

    public override async Task PublishForeignAsync(string isolation, ForeignMessage message, CancellationToken cancellationToken)
    {
        await using var admin = await ConnectAsync(cancellationToken);
        NameValueEntry[] fields =
        [
            new("type", message.EventName), .. message.Attributes.Select(attribute => new NameValueEntry(attribute.Key, attribute.Value)),
            .. message.Headers.Select(header => new NameValueEntry($"header:{header.Key}", header.Value)), new("data", message.Body),
        ];
        await admin.GetDatabase().StreamAddAsync($"{{{isolation}}}:{message.EventName.Split('.')[0]}", fields).WaitAsync(cancellationToken);
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
