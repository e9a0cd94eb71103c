using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// What is written down beside the streams: which streams there are, which groups read all of them, and how far each group is. Streams of other programs are looked for among the keys. Thread-safe.
/// </summary>
/// <remarks>
/// None of this is needed to read a stream. A key of it that holds something else, or that the user may not touch, counts as empty: that is logged once, and named by the health check until it can be used.
/// Every other failure is thrown.
/// </remarks>
internal sealed class RedisStreamCatalog(IDatabase database, RedisTopology names, ILogger log)
{
    // Up to here everything is acknowledged: what comes before the oldest pending entry, or, when nothing is pending, up to the last that was read. An opening parenthesis means: before it.
    private const string NoteScript = """
        local groups = redis.pcall('XINFO', 'GROUPS', KEYS[2])
        if groups.err then
          return false
        end
        for _, each in ipairs(groups) do
          local info = {}
          for i = 1, #each, 2 do
            info[each[i]] = each[i + 1]
          end
          if info['name'] == ARGV[1] then
            local place = info['last-delivered-id']
            if info['pending'] > 0 then
              place = '(' .. redis.call('XPENDING', KEYS[2], ARGV[1])[2]
            end
            -- Redis at its memory limit lets a script go on writing that has written before.
            redis.call('HDEL', KEYS[1], ARGV[1])
            redis.call('HSET', KEYS[1], ARGV[1], place)
          end
        end
        return false
        """;

    private readonly ConcurrentDictionary<RedisKey, string> unusable = new();

    /// <summary>What an operator should look at; null when there is nothing.</summary>
    public string? Complaint => unusable.Select(each => $"The key '{each.Key}' cannot be used, and counts as empty: {each.Value} Delete it or rename it, or grant the right to it.").FirstOrDefault();

    /// <summary>Makes streams known to other applications. It is asked first which are not: Redis at its memory limit refuses to add even what is there.</summary>
    public async Task EnterAsync(IEnumerable<RedisKey> streams)
    {
        RedisValue[] missing = [.. streams.Except(await KnownAsync()).Select(stream => (RedisValue)names.WordOf(stream))];
        if (missing.Length > 0)
        {
            await UseAsync(names.KnownWords, () => database.SetAddAsync(names.KnownWords, missing), 0);
        }
    }

    /// <summary>The streams that applications have entered: one quick question.</summary>
    public async Task<RedisKey[]> KnownAsync() =>
        [.. (await UseAsync(names.KnownWords, () => database.SetMembersAsync(names.KnownWords), [])).Select(word => names.StreamOfWord((string)word!)).Where(names.IsStream)];

    /// <summary>Whether a group is one of those that read every stream there is.</summary>
    public Task<bool> ReadsAllAsync(string group) => UseAsync(names.OpenGroups, () => database.SetContainsAsync(names.OpenGroups, group), false);

    /// <summary>Writes down that a group reads every stream there is.</summary>
    public Task EnterReaderOfAllAsync(string group) => UseAsync(names.OpenGroups, () => database.SetAddAsync(names.OpenGroups, group), false);

    /// <summary>What is written down of how far a group is in a stream; null for nothing.</summary>
    public Task<RedisValue> NoteOfAsync(RedisKey stream, string group) =>
        UseAsync(names.PlacesOf(stream), () => database.HashGetAsync(names.PlacesOf(stream), group), RedisValue.Null);

    /// <summary>Writes down how far a group is in a stream.</summary>
    public Task NoteAsync(RedisKey stream, string group) =>
        UseAsync<RedisResult?>(names.PlacesOf(stream), async () => await database.ScriptEvaluateAsync(NoteScript, [names.PlacesOf(stream), stream], [group]), null);

    /// <summary>All streams, found by going through all keys of the server. One that the user may not look at is among them.</summary>
    public async Task<RedisKey[]> ScanAsync(CancellationToken cancellationToken)
    {
        var found = new List<RedisKey>();
        foreach (var server in database.Multiplexer.GetServers().Where(server => server is { IsConnected: true, IsReplica: false }))
        {
            await foreach (var key in server.KeysAsync(database.Database, names.AnyStream, pageSize: 1_000).WithCancellation(cancellationToken))
            {
                if (names.IsStream(key) && await MayBeStreamAsync(key))
                {
                    found.Add(key);
                }
            }
        }

        return [.. found];
    }

    private async Task<bool> MayBeStreamAsync(RedisKey key)
    {
        try
        {
            return await database.KeyTypeAsync(key) == RedisType.Stream;
        }
        catch (RedisServerException exception) when (RedisErrors.IsKeyDenied(exception))
        {
            return true;
        }
    }

    private async Task<T> UseAsync<T>(RedisKey key, Func<Task<T>> use, T otherwise)
    {
        try
        {
            var answer = await use();
            unusable.TryRemove(key, out _);
            return answer;
        }
        catch (RedisServerException exception) when (RedisErrors.IsOfKey(exception))
        {
            if (unusable.TryAdd(key, exception.Message))
            {
                log.KeyUnusable(key!, exception.Message);
            }

            return otherwise;
        }
    }
}
