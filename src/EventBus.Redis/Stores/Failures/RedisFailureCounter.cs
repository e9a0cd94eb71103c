using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Reads the numbers of entries of each subscription in the failure store.</summary>
internal sealed class RedisFailureCounter(RedisStoreLink link, RedisFailureKeys keys)
{
    // The maximum number of subscriptions in one script.
    private const int PageSize = 100;

    /// <summary>
    /// Reads the numbers of the subscriptions that have entries; null if an earlier version of the library has stored
    /// so many that they cannot be counted again in one script.
    /// </summary>
    public async ValueTask<IReadOnlyList<FailureCounts>?> ReadAsync(CancellationToken cancellationToken)
    {
        var known = await link.RunAsync(
            RedisFailureCountScripts.Subscriptions,
            keys.For(),
            [RedisFailureCountScripts.MaxRecounted],
            cancellationToken);
        if (known.IsNull)
        {
            return null;
        }

        var counts = new List<FailureCounts>();
        foreach (var page in ((string[])known!).Chunk(PageSize))
        {
            var rows = (RedisResult[])(await link.RunAsync(
                RedisFailureCountScripts.Read,
                keys.For(page),
                [.. page.Select(name => (RedisValue)name)],
                cancellationToken))!;
            counts.AddRange(page.Zip(rows, Convert));
        }

        return counts;
    }

    private static FailureCounts Convert(string subscription, RedisResult row)
    {
        var (all, parked, deferred, dead) = ((long)row[0], (long)row[1], (long)row[2], (long)row[3]);
        return new FailureCounts
        {
            Subscription = subscription,

            // The indexes may contain a damaged entry that is not counted.
            Waiting = Math.Max(all - parked - deferred - dead, 0),
            Parked = parked,
            Deferred = deferred,
            Dead = dead,
            OldestDue = RedisTime.ReadScore(row[4]),
        };
    }
}
