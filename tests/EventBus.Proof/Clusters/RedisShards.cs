namespace EventBus.Proof;

/// <summary>A Redis Cluster of three primaries, each with a replica.</summary>
/// <param name="folder">The folder of their files.</param>
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

        var output = await RedisServer.RunAsync(
            ["--cluster", "create", .. Servers.Select(server => server.Address), "--cluster-replicas", "1", "--cluster-yes"]);
        if (!output.Contains("All 16384 slots covered", StringComparison.Ordinal))
        {
            throw new ProofException($"The cluster was not created: {output}");
        }

        await Until.TrueAsync("A healthy cluster", Patience, async () => (await Task.WhenAll(Servers.Select(
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
