using StackExchange.Redis;

namespace EventBus;

/// <summary>Opens the client's queues of messages, each for one channel or pattern.</summary>
internal static class RedisPubSubQueueOpener
{
    private static readonly Action<RedisChannel, RedisValue> Ignore = static (_, _) => { };

    /// <summary>
    /// Subscribes to a channel in two steps: first with a handler that ignores the messages, to learn whether Redis
    /// allows it, then with the queue. If Redis refused the queue, the client would keep it and fill it, and there
    /// would be no reference with which to remove it.
    /// </summary>
    public static async Task<ChannelMessageQueue> OpenAsync(
        ISubscriber subscriber,
        RedisChannel channel,
        bool failFast,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        try
        {
            await subscriber.SubscribeAsync(channel, Ignore).WaitAsync(RedisConnector.CommandTimeout, time, cancellationToken);
            return await subscriber.SubscribeAsync(channel, CommandFlags.FireAndForget);
        }
        catch (Exception exception) when (!failFast && exception is (RedisConnectionException or TimeoutException))
        {
            // There is no connection yet. The client subscribes to all its channels when it connects.
            return await subscriber.SubscribeAsync(channel, CommandFlags.FireAndForget);
        }
        finally
        {
            await subscriber.UnsubscribeAsync(channel, Ignore, CommandFlags.FireAndForget);
        }
    }
}
