using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>Redis Streams under proof, with stores that forget.</summary>
internal sealed class RedisBackend : Backend
{
    private const string ClientName = "conformance";

    private readonly Lazy<Task<ConnectionMultiplexer>> admin = new(() => ConnectionMultiplexer.ConnectAsync($"{TestRedis.Address},allowAdmin=true"));

    public override string Name => "Redis Streams";

    public override bool CanPublishForeign => true;

    public override bool CanSeverConnections => true;

    public override Transport CreateTransport(TransportSetup setup) => new RedisTransport(
        new RedisConnector(ConfigurationOptions.Parse($"{TestRedis.Address},name={ClientName}")),
        new RedisOptions { KeyPrefix = setup.Isolation, ClaimAfter = TimeSpan.FromSeconds(3) },
        setup.Services.GetRequiredService<ILoggerFactory>().CreateLogger("EventBus.Redis"));

    public override void AddStores(EventBusBuilder bus, string isolation) => bus.StoreInMemory();

    public override async Task PublishForeignAsync(string isolation, string eventName, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        var database = (await admin.Value.WaitAsync(cancellationToken)).GetDatabase();
        await database.StreamAddAsync($"{{{isolation}}}:{eventName.Split('.')[0]}", [new("type", eventName), new("data", body)]).WaitAsync(cancellationToken);
    }

    public override async Task SeverConnectionsAsync(CancellationToken cancellationToken)
    {
        var database = (await admin.Value.WaitAsync(cancellationToken)).GetDatabase();
        var list = (string)(await database.ExecuteAsync("CLIENT", "LIST").WaitAsync(cancellationToken))!;
        foreach (var line in list.Split('\n').Where(line => line.Contains($" name={ClientName} ", StringComparison.Ordinal)))
        {
            await database.ExecuteAsync("CLIENT", "KILL", "ID", line.Split(' ')[0]["id=".Length..]).WaitAsync(cancellationToken);
        }
    }
}
