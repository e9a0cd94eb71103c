namespace EventBus.Proof;

/// <summary>A primary with two replicas and three sentinels.</summary>
/// <param name="folder">The folder of their files.</param>
/// <param name="stream">The stream of the events.</param>
/// <param name="group">The consumer group of the subscription.</param>
/// <param name="minReplicas">The number of replicas that a write needs to be accepted.</param>
internal sealed class RedisSentinels(string folder, string stream, string group, int minReplicas) : RedisCluster(stream, group)
{
    private const string Service = "proof";
    private const int Count = 3;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly List<RedisServer> sentinels = [];

    public override async Task StartAsync()
    {
        for (var i = 0; i < Count; i++)
        {
            var server = new RedisServer(Path.Combine(folder, $"server{i}"));
            Servers.Add(server);
            string[] settings = [
                "appendonly yes",
                "save \"\"",
                "repl-diskless-sync-delay 0",
                $"min-replicas-to-write {minReplicas}",
                "min-replicas-max-lag 2"
            ];
            await server.StartAsync(i == 0 ? settings : [.. settings, $"replicaof 127.0.0.1 {Servers[0].Port}"]);
        }

        for (var i = 0; i < Count; i++)
        {
            var sentinel = new RedisServer(Path.Combine(folder, $"sentinel{i}"), "--sentinel");
            sentinels.Add(sentinel);
            await sentinel.StartAsync(
                $"sentinel monitor {Service} 127.0.0.1 {Servers[0].Port} 2",
                $"sentinel down-after-milliseconds {Service} 1000",
                $"sentinel failover-timeout {Service} 2000");
        }

        await UntilAllFollowAsync();
    }

    public override VictimSettings Direct(VictimSettings settings) =>
        settings with { Redis = $"{string.Join(',', sentinels.Select(sentinel => sentinel.Address))},serviceName={Service}" };

    public override async ValueTask DisposeAsync()
    {
        sentinels.ForEach(sentinel => sentinel.Dispose());
        await base.DisposeAsync();
    }

    protected override Task<RedisServer> LeaderAsync() => LeaderOfAsync(sentinels[0]);

    protected override Task UntilReplacedAsync(RedisServer leader) => Until.TrueAsync(
        "A new primary, which all sentinels know",
        Patience,
        async () => !(await Task.WhenAll(sentinels.Select(LeaderOfAsync))).Contains(leader));

    protected override Task UntilAllFollowAsync() =>
        Until.TrueAsync("A primary with its replicas, which all sentinels know", Patience, async () =>
            await HasReplicasAsync(Count - 1)
            && (await Task.WhenAll(sentinels.Select(sentinel => sentinel.AskAsync("SENTINEL", "CKQUORUM", Service)))).All(
                answer => answer.StartsWith("OK 3", StringComparison.Ordinal))
            && (await Task.WhenAll(sentinels.Select(sentinel => sentinel.AskAsync("--raw", "SENTINEL", "replicas", Service)))).All(
                answer => !answer.Contains(
                    "s_down,",
                    StringComparison.Ordinal)
                        && !answer.Contains(",s_down", StringComparison.Ordinal)
                        && !answer.Contains("disconnected", StringComparison.Ordinal)));

    private async Task<RedisServer> LeaderOfAsync(RedisServer sentinel) =>
        At((await sentinel.AskAsync("--raw", "SENTINEL", "get-master-addr-by-name", Service)).Split('\n')[^1]);
}
