using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Runs the commands that only the holder of the lease may use on a consumer group. Each script first checks that the
/// lease still has the caller's token. Thread-safe; every failure is thrown.
/// </summary>
/// <remarks>
/// Acknowledgements need no check: the event was handled, and a late acknowledgement only prevents the next owner from
/// handling it again.
/// </remarks>
/// <param name="lease">The key of the lease.</param>
/// <param name="group">The name of the group.</param>
/// <param name="consumer">The name of the consumer.</param>
internal sealed class FencedCommands(RedisKey lease, string group, string consumer)
{
    // The first word of the error of a script that finds another token.
    private const string RefusalCode = "FENCED";

    // KEYS: 1 the lease, 2 the stream. ARGV: 1 the group, 2 the consumer, 3 the token, 4 the first id of the page,
    // 5 its size. Claims the pending entries of all consumers in stream order. Returns two lists: the answer of
    // XPENDING ({id, consumer, idle time, number of deliveries} for each entry), and the claimed entries. An entry that
    // is no longer in the stream is missing in the second list, and is removed from the group.
    private const string TakeOverScript = """
        if redis.call('GET', KEYS[1]) ~= ARGV[3] then
          return redis.error_reply('FENCED another holds the lease of the group')
        end
        local pending = redis.call('XPENDING', KEYS[2], ARGV[1], ARGV[4], '+', ARGV[5])
        if #pending == 0 then
          return {{}, {}}
        end
        local ids = {}
        for i, entry in ipairs(pending) do
          ids[i] = entry[1]
        end
        local entries, present = {}, {}
        for _, entry in ipairs(redis.call('XCLAIM', KEYS[2], ARGV[1], ARGV[2], 0, unpack(ids))) do
          -- Redis 6.2 returns false for an entry that is no longer in the stream; later versions return nothing.
          if entry then
            entries[#entries + 1] = entry
            present[entry[1]] = true
          end
        end
        for _, id in ipairs(ids) do
          if not present[id] then
            redis.call('XACK', KEYS[2], ARGV[1], id)
          end
        end
        return {pending, entries}
        """;

    // KEYS: 1 the lease, 2 and following: the streams. ARGV: 1 the group, 2 the consumer, 3 the token, 4 the maximum
    // number of entries of each stream.
    private const string ReadScript = """
        if redis.call('GET', KEYS[1]) ~= ARGV[3] then
          return redis.error_reply('FENCED another holds the lease of the group')
        end
        local command = {'XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[4], 'STREAMS'}
        for i = 2, #KEYS do
          command[#command + 1] = KEYS[i]
        end
        for i = 2, #KEYS do
          command[#command + 1] = '>'
        end
        return redis.call(unpack(command))
        """;

    /// <summary>True if another instance held the lease when the command arrived: nothing was changed.</summary>
    public static bool IsFenced(Exception exception) =>
        exception is RedisServerException && exception.Message.StartsWith(RefusalCode, StringComparison.Ordinal);

    /// <summary>
    /// Makes this consumer the owner of the entries that are pending for any consumer of the group, one page at a time.
    /// </summary>
    /// <param name="reading">A connection for large answers.</param>
    /// <param name="token">The fencing token of the lease.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="after">The last id of the previous page; <see cref="RedisGroup.Start"/> for the first page.</param>
    /// <param name="count">The maximum number of entries.</param>
    public async Task<RedisTakeover> TakeOverAsync(IDatabase reading, string token, RedisKey stream, RedisValue after, int count)
    {
        var answer = await reading.ScriptEvaluateAsync(
            TakeOverScript,
            [lease, stream],
            [group, consumer, token, after == RedisGroup.Start ? "-" : $"({after}", count]);
        var earlierDeliveries = new Dictionary<RedisValue, int>();
        var last = RedisValue.Null;
        for (var i = 0; i < answer[0].Length; i++)
        {
            last = (RedisValue)answer[0][i][0];
            earlierDeliveries[last] = (int)answer[0][i][3];
        }

        var entries = RedisGroup.ToEntries(answer[1]);
        return new RedisTakeover(
            last,
            [.. entries.Select(entry => (entry, earlierDeliveries[entry.Id]))],
            earlierDeliveries.Count - entries.Length);
    }

    /// <summary>Reads new entries without waiting for any.</summary>
    /// <param name="reading">A connection for large answers.</param>
    /// <param name="token">The fencing token of the lease.</param>
    /// <param name="streams">The streams.</param>
    /// <param name="count">The maximum number of entries of each stream.</param>
    public async Task<IReadOnlyList<(RedisKey Stream, RedisEntry[] Entries)>> ReadNewAsync(
        IDatabase reading,
        string token,
        IReadOnlyList<RedisKey> streams,
        int count) =>
        RedisGroup.ToStreams(await reading.ScriptEvaluateAsync(ReadScript, [lease, .. streams], [group, consumer, token, count]));
}
