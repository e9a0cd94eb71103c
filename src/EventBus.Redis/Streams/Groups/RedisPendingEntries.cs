using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Runs the commands on the entries that were delivered to the consumers of a group and are not yet acknowledged.
/// Thread-safe; every failure is thrown.
/// </summary>
internal sealed class RedisPendingEntries(RedisGroup group)
{
    // The idle time that a release sets on an entry. It is longer than any RedisOptions.ClaimAfter, so that every
    // instance may claim the entry at once.
    private static readonly TimeSpan ReleasedIdle = TimeSpan.FromDays(2);

    /// <summary>
    /// Fetches the content of entries that are pending for this consumer, about 1 MB at a time, and renews all of them.
    /// </summary>
    /// <returns>
    /// The entries that it still owns, the number of entries that were no longer in the stream, and the number of ids
    /// that were processed: the others need another call.
    /// </returns>
    public async Task<(RedisEntry[] Entries, int Deleted, int Processed)> FetchAsync(
        IDatabase reading, RedisKey stream, IEnumerable<RedisValue> ids)
    {
        var answer = await reading.ScriptEvaluateAsync(RedisGroupScripts.Fetch, [stream], [group.Name, group.Consumer, .. ids]);
        return (RedisGroup.ToEntries(answer[0]), (int)answer[1], (int)answer[2]);
    }

    /// <summary>Renews entries that this consumer holds. Returns the ids that it no longer owns.</summary>
    public async Task<RedisValue[]> RenewAsync(RedisKey stream, IEnumerable<RedisValue> ids) =>
        (RedisValue[])(await group.Database.ScriptEvaluateAsync(RedisGroupScripts.Renew, [stream], [group.Name, group.Consumer, .. ids]))!;

    /// <summary>
    /// Renews the entries that were delivered to this consumer within the given time. Returns their ids.
    /// </summary>
    public async Task<RedisValue[]> RenewRecentAsync(RedisKey stream, TimeSpan deliveredWithin) =>
        (RedisValue[])(await group.Database.ScriptEvaluateAsync(
            RedisGroupScripts.RenewRecent,
            [stream],
            [group.Name, group.Consumer, (long)Math.Ceiling(deliveredWithin.TotalMilliseconds)]))!;

    /// <summary>
    /// Releases entries to the next consumer that claims, each with its number of deliveries that may have been
    /// attempts.
    /// </summary>
    public Task ReleaseAsync(RedisKey stream, IEnumerable<(RedisValue Id, long Deliveries)> entries)
    {
        var values = entries.SelectMany(entry => new[] { entry.Id, entry.Deliveries });
        return group.Database.ScriptEvaluateAsync(
            RedisGroupScripts.Release,
            [stream],
            [group.Name, group.Consumer, (long)ReleasedIdle.TotalMilliseconds, .. values]);
    }

    /// <summary>True if an entry was released to the next consumer that claims.</summary>
    public static bool IsReleased(StreamPendingMessageInfo pending) => pending.IdleTimeInMilliseconds >= ReleasedIdle.TotalMilliseconds;

    /// <summary>Claims entries whose consumer has not renewed them for the given time.</summary>
    /// <returns>
    /// The next cursor, the claimed ids with the number of their earlier deliveries, and the number of entries that
    /// were no longer in the stream.
    /// </returns>
    public async Task<(RedisValue Next, (RedisValue Id, int Deliveries)[] Taken, int Deleted)> ClaimAsync(
        RedisKey stream, TimeSpan idle, RedisValue cursor, int count)
    {
        RedisValue[] arguments = [group.Name, group.Consumer, (long)idle.TotalMilliseconds, cursor, count];
        var answer = await group.Database.ScriptEvaluateAsync(RedisGroupScripts.Claim, [stream], arguments);
        var taken = new (RedisValue, int)[answer[1].Length];
        for (var i = 0; i < taken.Length; i++)
        {
            taken[i] = ((RedisValue)answer[1][i][0], (int)answer[1][i][1]);
        }

        return ((RedisValue)answer[0], taken, (int)answer[2]);
    }

    /// <summary>Gets the entries pending for this consumer between two ids, with their delivery counts.</summary>
    public Task<StreamPendingMessageInfo[]> ListAsync(RedisKey stream, RedisValue? from, RedisValue? to, int count) =>
        group.Database.StreamPendingMessagesAsync(stream, group.Name, count, group.Consumer, from, to);
}
