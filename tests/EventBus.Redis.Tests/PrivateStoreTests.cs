namespace EventBus.Redis.Tests;

/// <summary>Tests instances that share a consumer group but not their stores.</summary>
public sealed class PrivateStoreTests : IDisposable
{
    private readonly string prefix = $"p{Guid.NewGuid():N}";
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("eventbus-private-");

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    public Task Instances_ThatDoNotShareAStore_WarnUntilTheForeignOneIsGone() => PrivateStoreNode.RunAsync(
        bus => Use(bus).StoreInSqlite($"Data Source={Path.Combine(folder.FullName, "bus.db")}"),
        bus => Use(bus).StoreInMemory(),
        countsOrdered: true);

    private EventBusBuilder Use(EventBusBuilder bus) => bus
        .UseRedis(TestRedis.Address, options => (options.KeyPrefix, options.ClaimAfter) = (prefix, TimeSpan.FromSeconds(1)))
        .Configure(options => options.ServiceName = "printer");
}
