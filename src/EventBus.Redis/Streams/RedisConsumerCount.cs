using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Counts the active consumers of a subscription. In an ordered subscription the holder of the lease counts too.
/// </summary>
internal sealed class RedisConsumerCount(RedisConsumer consumer, RedisLease? lease)
{
    // An instance that stands by is active only when the bus counts the other consumers, every 5 s. One call may be
    // late.
    private static readonly TimeSpan StandbyActivityPeriod = TimeSpan.FromSeconds(10);

    /// <summary>Counts the other active consumers.</summary>
    /// <returns>
    /// Their number, and the time without activity after which a consumer no longer counts; null if the number is
    /// unknown at present.
    /// </returns>
    public async Task<(int Count, TimeSpan ExpiresAfter)?> OthersAsync(CancellationToken cancellationToken)
    {
        // An active consumer reads every second, or renews its entries every third of ClaimAfter.
        var expiresAfter = (consumer.ClaimAfter / 3) + StandbyActivityPeriod;
        try
        {
            var others = await consumer.Connector.AnswerAsync(consumer.Members.OthersAsync(expiresAfter), cancellationToken);
            if (lease is not null)
            {
                others.UnionWith(await consumer.Connector.AnswerAsync(lease.OtherHoldersAsync(), cancellationToken));
            }

            return (others.Count, expiresAfter);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or RedisCommandException)
        {
            return null;
        }
    }
}
