using EventBus.Conformance;
using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>The Redis stores under test, with a connection for each instance, on a server that may be killed.</summary>
public sealed class RedisStoreBackend : StoreBackend, IAsyncLifetime
{
    private readonly PrivateRedis server = new();

    public override string Name => "Redis";

    public override bool CanCorrupt => true;

    public override bool CanBreak => true;

    public async ValueTask InitializeAsync() => await server.StartAsync();

    public async ValueTask DisposeAsync() => await server.DisposeAsync();

    public override BusStores CreateStores(string isolation)
    {
        var connector = new RedisConnector(ConfigurationOptions.Parse(server.Address), "bus.StoreInRedis(...)", Canary.Log);
        return new RedisStores(connector, isolation, Canary.Log);
    }

    public override async Task CorruptAsync(string isolation, string id, CancellationToken cancellationToken)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(server.Address).WaitAsync(cancellationToken);
        RedisKey events = $"{{{isolation}:{ServiceName}}}:store:failed:event";
        var isNew = await connection.GetDatabase().HashSetAsync(events, id, new byte[] { (byte)'{', 0xff, 0 }).WaitAsync(cancellationToken);
        Assert.False(isNew);
    }

    public override async Task CorruptSagaAsync(string isolation, string id, CancellationToken cancellationToken)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(server.Address).WaitAsync(cancellationToken);
        RedisKey sagas = $"{{{isolation}:{ServiceName}}}:store:sagas";
        var isNew = await connection.GetDatabase().HashSetAsync(sagas, id, new byte[] { (byte)'{', 0xff, 0 }).WaitAsync(cancellationToken);
        Assert.False(isNew);
    }

    /// <summary>Kills the server. It keeps the data that it has accepted.</summary>
    public override Task BreakAsync(string isolation, CancellationToken cancellationToken) => server.KillAsync();

    public override Task RepairAsync(string isolation, CancellationToken cancellationToken) => server.StartAsync();
}
