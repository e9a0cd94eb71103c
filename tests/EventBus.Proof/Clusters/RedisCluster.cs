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
