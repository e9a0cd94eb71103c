namespace EventBus.Proof;

/// <summary>Redis servers that replicate, and a mechanism that promotes another one to the leader.</summary>
/// <param name="stream">The stream of the events.</param>
/// <param name="group">The consumer group of the subscription.</param>
internal abstract class RedisCluster(string stream, string group) : Cluster
{
    private RedisServer? killed;

    /// <summary>Redis acknowledges a write before its replicas have it.</summary>
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

        // An answer is the id of the entry; any other answer is a refusal.
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
        // The name of each value precedes it. The lag is wrong after a failover; the ids are correct.
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

    /// <summary>Returns the server that accepts writes.</summary>
    protected abstract Task<RedisServer> LeaderAsync();

    /// <summary>
    /// Completes when all deciding servers know another leader. A leader that restarts earlier would accept writes, and
    /// lose them when it becomes a replica.
    /// </summary>
    protected abstract Task UntilReplacedAsync(RedisServer leader);

    /// <summary>Completes when the killed server is a replica of the new leader.</summary>
    protected abstract Task UntilAllFollowAsync();

    protected RedisServer At(string port) =>
        Servers.Find(server => $"{server.Port}" == port) ?? throw new ProofException($"No server of the cluster has the port '{port}'.");

    protected async Task<bool> HasReplicasAsync(int count) =>
        (await (await LeaderAsync()).AskAsync("INFO", "replication")).Split("state=online").Length - 1 == count;
}
