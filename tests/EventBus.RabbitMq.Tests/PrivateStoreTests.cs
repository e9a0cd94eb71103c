namespace EventBus.RabbitMq.Tests;

/// <summary>Tests instances that share a queue but not their stores.</summary>
public sealed class PrivateStoreTests : IDisposable
{
    private readonly string name = $"p{Guid.NewGuid():N}";
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("eventbus-private-");

    public void Dispose() => folder.Delete(recursive: true);

    [Theory]
    [InlineData(RabbitMqQueueType.Quorum)]
    [InlineData(RabbitMqQueueType.Classic)]
    public Task Instances_ThatDoNotShareAStore_WarnUntilTheForeignOneIsGone(RabbitMqQueueType type) => PrivateStoreNode.RunAsync(
        bus => Use(bus, type).StoreInSqlite($"Data Source={Path.Combine(folder.FullName, "bus.db")}"),
        bus => Use(bus, type).StoreInMemory(),
        countsOrdered: type == RabbitMqQueueType.Classic);

    private EventBusBuilder Use(EventBusBuilder bus, RabbitMqQueueType type) => bus
        .UseRabbitMq(
            TestBroker.Uri.AbsoluteUri,
            options => (options.Exchange, options.QueueType, options.Heartbeat) = (name, type, TimeSpan.FromSeconds(1)))
        .Configure(options => options.ServiceName = name);
}
