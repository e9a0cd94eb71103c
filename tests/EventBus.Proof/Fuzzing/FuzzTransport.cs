using StackExchange.Redis;

namespace EventBus.Proof;

/// <summary>
/// Writes fuzz messages in the format of one backend, and sends them to its broker with a client that is not the client
/// of the library.
/// </summary>
internal abstract class FuzzTransport : IAsyncDisposable
{
    /// <summary>Sends a message to the broker.</summary>
    /// <returns>False if the broker refused it.</returns>
    public abstract Task<bool> PublishAsync(FuzzMessage message);

    /// <summary>
    /// Publishes valid JSON for the healthy subscription, over a connection that no fuzz message uses.
    /// </summary>
    public abstract Task PublishTickAsync(long number);

    public abstract ValueTask DisposeAsync();

    public static async Task<FuzzTransport> OpenAsync(Stage stage) => stage.Run.Transport switch
    {
        "redis" => new RedisStreamFuzzTransport(stage.Redis.Database, await ConnectionMultiplexer.ConnectAsync(stage.Redis.Address)),
        "redis-pubsub" => new RedisChannelFuzzTransport(
            stage.Redis.Database,
            await ConnectionMultiplexer.ConnectAsync(stage.Redis.Address)),
        _ => await RabbitMqFuzzTransport.OpenAsync(new Uri(stage.RabbitMq.Address), stage.Settings.Service),
    };
}
