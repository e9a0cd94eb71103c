namespace EventBus.Proof;

/// <summary>Servers of Redis that replicate to one another, and something that makes another the leader.</summary>
/// <param name="stream">The stream of the events.</param>
/// <param name="group">The consumer group of the subscription.</param>
internal abstract class RedisCluster(string stream, string group) : Cluster
{
    private RedisServer? killed;

    /// <summary>Redis acknowledges before its replicas have it.</summary>
    public override bool MayLose => true;

    protected List<RedisServer> Servers { get; } = [];

    protected IEnumerable<RedisServer> Alive => Servers.Where(server => server != killed);

    protected string Stream => stream;

    public override VictimSettings Direct(VictimSettings settings) =>
        settings with { Redis = string.Join(',', Servers.Select(server => server.Address)) };

    public override async Task KillLeaderAsync()
    {
        killed = await LeaderAsync();
        await killed.KillAsync();
    }

    public override async Task<bool> TryWriteAsync(long number)
    {
        var answers = await Task.WhenAll(Alive.Select(
            server => server.AskAsync("XADD", stream, "*", "type", SignalSource.EventName, "data", $$"""{"number":{{number}}}""")));

        // The id of the entry; anything else is a refusal.
        return answers.Any(answer => answer.Length > 0 && char.IsAsciiDigit(answer[0]));
    }

    public override async Task RestoreAsync()
    {
        await UntilReplacedAsync(killed!);
        await killed!.StartAsync();
        killed = null;
        await UntilAllFollowAsync();
    }

    public override async Task<bool> IsIdleAsync()
    {
        // Each figure has its name before it. The lag is wrong after a fail-over: the ids are not.
        var leader = await LeaderAsync();
        var groups = (await leader.AskAsync("--raw", "XINFO", "GROUPS", stream)).Split('\n');
        var begin = Array.IndexOf(groups, group);
        return begin >= 0 && ValueOf("pending", groups, begin) == "0"
            && ValueOf(
                "last-delivered-id",
                groups,
                begin) == ValueOf("last-generated-id", (await leader.AskAsync("--raw", "XINFO", "STREAM", stream)).Split('\n'), 0);

        static string ValueOf(string name, string[] reply, int begin) => reply[Array.IndexOf(reply, name, begin) + 1];
    }

    public override ValueTask DisposeAsync()
    {
        Servers.ForEach(server => server.Dispose());
        return ValueTask.CompletedTask;
    }

    /// <summary>The server that takes the writes.</summary>
    protected abstract Task<RedisServer> LeaderAsync();

    /// <summary>
    /// Returns when everyone who decides it knows another leader: one that comes back before takes writes, which are
    /// lost as soon as it follows.
    /// </summary>
    protected abstract Task UntilReplacedAsync(RedisServer leader);

    /// <summary>Returns when the killed server is a replica of the new leader.</summary>
    protected abstract Task UntilAllFollowAsync();

    protected RedisServer At(string port) =>
        Servers.Find(server => $"{server.Port}" == port) ?? throw new ProofException($"No server of the cluster has the port '{port}'.");

    protected async Task<bool> HasReplicasAsync(int count) =>
        (await (await LeaderAsync()).AskAsync("INFO", "replication")).Split("state=online").Length - 1 == count;
}

/// <summary>A primary with two replicas and three sentinels.</summary>
/// <param name="folder">Where their files are.</param>
/// <param name="stream">The stream of the events.</param>
/// <param name="group">The consumer group of the subscription.</param>
/// <param name="minReplicas">How many replicas a write needs to be accepted.</param>
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

/// <summary>A Redis Cluster of three primaries, each with a replica.</summary>
/// <param name="folder">Where their files are.</param>
/// <param name="stream">The stream of the events.</param>
/// <param name="group">The consumer group of the subscription.</param>
internal sealed class RedisShards(string folder, string stream, string group) : RedisCluster(stream, group)
{
    private const int Count = 6;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public override async Task StartAsync()
    {
        for (var i = 0; i < Count; i++)
        {
            var server = new RedisServer(Path.Combine(folder, $"server{i}"));
            Servers.Add(server);
            await server.StartAsync(
                "appendonly yes",
                "save \"\"",
                "repl-diskless-sync-delay 0",
                "cluster-enabled yes",
                $"cluster-port {FreePort.Next()}",
                "cluster-config-file nodes.conf",
                "cluster-node-timeout 1000");
        }

        var said = await RedisServer.RunAsync(
            ["--cluster", "create", .. Servers.Select(server => server.Address), "--cluster-replicas", "1", "--cluster-yes"]);
        if (!said.Contains("All 16384 slots covered", StringComparison.Ordinal))
        {
            throw new ProofException($"The cluster was not made: {said}");
        }

        await Until.TrueAsync("A cluster that is well", Patience, async () => (await Task.WhenAll(Servers.Select(
            server => server.AskAsync("CLUSTER", "INFO")))).All(answer => answer.Contains("cluster_state:ok", StringComparison.Ordinal)));
        await UntilAllFollowAsync();
    }

    protected override Task<RedisServer> LeaderAsync() => LeaderOfAsync(Alive.First());

    protected override Task UntilReplacedAsync(RedisServer leader) => Until.TrueAsync(
        "A new primary, which all nodes know",
        Patience,
        async () => !(await Task.WhenAll(Alive.Select(LeaderOfAsync))).Contains(leader));

    protected override Task UntilAllFollowAsync() => Until.TrueAsync("A primary with its replica", Patience, () => HasReplicasAsync(1));

    private async Task<RedisServer> LeaderOfAsync(RedisServer server)
    {
        var slot = int.Parse(
            await server.AskAsync("--raw", "CLUSTER", "KEYSLOT", Stream),
            System.Globalization.CultureInfo.InvariantCulture);
        var nodes = (await server.AskAsync("--raw", "CLUSTER", "NODES")).Split('\n').Select(line => line.Split(' '));
        var leader = nodes.First(
            columns => columns[2].Contains("master", StringComparison.Ordinal) && columns.Skip(8).Any(range => Holds(range, slot)));
        return At(leader[1].Split('@')[0].Split(':')[^1]);
    }

    private static bool Holds(string range, int slot) =>
        range.Split('-') is var ends
            && int.TryParse(ends[0], out var first)
            && int.TryParse(ends[^1], out var last)
            && first <= slot
            && slot <= last;
}
