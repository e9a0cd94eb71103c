using StackExchange.Redis;

namespace EventBus;

/// <summary>Which streams there are: those that applications entered in a set, and those that other programs made, which are looked for among the keys. Thread-safe; every failure is thrown.</summary>
internal sealed class RedisDirectory(IDatabase database, RedisTopology names)
{
    /// <summary>Makes streams known to other applications. It is asked first which are not: Redis at its memory limit refuses to add even what is there.</summary>
    public async Task EnterAsync(IEnumerable<RedisKey> streams)
    {
        RedisValue[] missing = [.. streams.Except(await KnownAsync()).Select(stream => (RedisValue)names.WordOf(stream))];
        if (missing.Length > 0)
        {
            await database.SetAddAsync(names.KnownWords, missing);
        }
    }

    /// <summary>The streams that applications have entered: one quick question.</summary>
    public async Task<RedisKey[]> KnownAsync() => [.. (await database.SetMembersAsync(names.KnownWords)).Select(word => names.StreamOfWord((string)word!)).Where(names.IsStream)];

    /// <summary>All streams, found by going through all keys of the server.</summary>
    public async Task<RedisKey[]> ScanAsync(CancellationToken cancellationToken)
    {
        var found = new List<RedisKey>();
        foreach (var server in database.Multiplexer.GetServers().Where(server => server is { IsConnected: true, IsReplica: false }))
        {
            await foreach (var key in server.KeysAsync(database.Database, names.AnyStream, pageSize: 1_000).WithCancellation(cancellationToken))
            {
                if (names.IsStream(key) && await database.KeyTypeAsync(key) == RedisType.Stream)
                {
                    found.Add(key);
                }
            }
        }

        return [.. found];
    }
}
