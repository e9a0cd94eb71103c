using StackExchange.Redis;

namespace EventBus.Proof;

/// <summary>
/// Writes fuzz messages in the format of one wire and hands them to its broker, by a client that is not the library's.
/// </summary>
internal abstract class FuzzWire : IAsyncDisposable
{
    /// <summary>Hands a message to the broker.</summary>
    /// <returns>False when the broker refused it.</returns>
    public abstract Task<bool> PublishAsync(FuzzMessage message);

    /// <summary>
    /// Publishes plain JSON for the healthy subscription, over a connection that no fuzz message uses.
    /// </summary>
    public abstract Task PublishTickAsync(long number);

    public abstract ValueTask DisposeAsync();

    public static async Task<FuzzWire> OpenAsync(Stage stage) => stage.Run.Transport switch
    {
        "redis" => new RedisStreamWire(stage.Redis.Database, await ConnectionMultiplexer.ConnectAsync(stage.Redis.Address)),
        "redis-pubsub" => new RedisChannelWire(stage.Redis.Database, await ConnectionMultiplexer.ConnectAsync(stage.Redis.Address)),
        _ => await RabbitMqWire.OpenAsync(new Uri(stage.RabbitMq.Address), stage.Settings.Service),
    };
}
