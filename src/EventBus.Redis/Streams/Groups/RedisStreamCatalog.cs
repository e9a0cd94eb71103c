using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Stores data about the streams in keys next to them: the known streams, the open groups, and the position of each
/// group. Finds streams of other programs by a scan of the keys. Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// An open group is the group of a subscription with a leading wildcard (<see cref="RedisTopology.IsOpen"/>): it reads
/// every stream, also those that are created later.
/// </para>
/// <para>
/// Reading a stream does not need this data. A key with another type, or without access for the user, counts as empty:
/// that is logged once, and reported by the health check until the key can be used. Every other failure is thrown.
/// </para>
/// </remarks>
internal sealed class RedisStreamCatalog(IDatabase database, RedisTopology names, ILogger log)
{
    // KEYS: 1 the recorded positions of the groups in the stream, 2 the stream. ARGV: 1 the group.
    // Records the position up to which everything is acknowledged: the last entry that was read or, if entries are
    // pending, the position before the oldest of them, written as an opening parenthesis and its id.
    private const string RecordScript = """
        local groups = redis.pcall('XINFO', 'GROUPS', KEYS[2])
        if groups.err then
          -- There is no stream, or its key cannot be used.
          return false
        end
        for _, each in ipairs(groups) do
          local info = {}
          for i = 1, #each, 2 do
            info[each[i]] = each[i + 1]
          end
          if info['name'] == ARGV[1] then
            local position = info['last-delivered-id']
            if info['pending'] > 0 then
              position = '(' .. redis.call('XPENDING', KEYS[2], ARGV[1])[2]
            end
            -- At its memory limit Redis refuses HSET as the first write of a script, but not as a later one.
            redis.call('HDEL', KEYS[1], ARGV[1])
            redis.call('HSET', KEYS[1], ARGV[1], position)
          end
        end
        return false
        """;

    // The keys that cannot be used, each with the error of Redis.
    private readonly ConcurrentDictionary<RedisKey, string> unusable = new();

    public IDatabase Database => database;

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem => unusable.Select(each =>
        $"The key '{each.Key}' cannot be used, and counts as empty: {each.Value} Delete or rename it, or grant the user the right to it.")
            .FirstOrDefault();

    /// <summary>
    /// Adds streams to the known streams, a set that other applications read. Only missing streams are added, because
    /// Redis at its memory limit refuses even an addition that changes nothing.
    /// </summary>
    public async Task AddAsync(IEnumerable<RedisKey> streams)
    {
        RedisValue[] missing = [.. streams.Except(await KnownStreamsAsync()).Select(stream => (RedisValue)names.WordOf(stream))];
        if (missing.Length > 0)
        {
            await UseAsync(names.KnownWords, () => database.SetAddAsync(names.KnownWords, missing), 0);
        }
    }

    /// <summary>Gets the streams that applications have added, with one fast command.</summary>
    public async Task<RedisKey[]> KnownStreamsAsync() =>
        [.. (await UseAsync(names.KnownWords, () => database.SetMembersAsync(names.KnownWords), []))
            .Select(word => names.StreamOfWord((string)word!))
            .Where(names.IsStream)];

    /// <summary>True if a group is in the set of open groups.</summary>
    public Task<bool> IsOpenGroupAsync(string group) =>
        UseAsync(names.OpenGroups, () => database.SetContainsAsync(names.OpenGroups, group), false);

    /// <summary>Adds a group to the set of open groups.</summary>
    public Task AddOpenGroupAsync(string group) =>
        UseAsync(names.OpenGroups, () => database.SetAddAsync(names.OpenGroups, group), false);

    /// <summary>Gets the recorded position of a group in a stream; null if there is none.</summary>
    public Task<RedisValue> PositionOfAsync(RedisKey stream, string group) =>
        UseAsync(names.PositionsOf(stream), () => database.HashGetAsync(names.PositionsOf(stream), group), RedisValue.Null);

    /// <summary>Records the position of a group in a stream.</summary>
    public Task RecordPositionAsync(RedisKey stream, string group) =>
        UseAsync<RedisResult?>(
            names.PositionsOf(stream),
            async () => await database.ScriptEvaluateAsync(RecordScript, [names.PositionsOf(stream), stream], [group]),
            null);

    /// <summary>
    /// Finds all streams by a scan of all keys of the server. Includes keys whose type the user has no right to query.
    /// </summary>
    public async Task<RedisKey[]> ScanAsync(CancellationToken cancellationToken)
    {
        var found = new List<RedisKey>();
        foreach (var server in database.Multiplexer.GetServers().Where(server => server is { IsConnected: true, IsReplica: false }))
        {
            await foreach (var key in server.KeysAsync(database.Database, names.AnyStream, pageSize: 1_000)
                .WithCancellation(cancellationToken))
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

    /// <summary>Runs a command on a key; returns the fallback if the key cannot be used.</summary>
    private async Task<T> UseAsync<T>(RedisKey key, Func<Task<T>> command, T fallback)
    {
        try
        {
            var answer = await command();
            unusable.TryRemove(key, out _);
            return answer;
        }
        catch (RedisServerException exception) when (RedisErrors.IsOfKey(exception))
        {
            if (unusable.TryAdd(key, exception.Message))
            {
                log.KeyUnusable(key!, exception.Message);
            }

            return fallback;
        }
    }
}
