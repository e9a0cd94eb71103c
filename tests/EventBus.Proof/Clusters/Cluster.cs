namespace EventBus.Proof;

/// <summary>Several servers of a proof's own, one of which leads: it is killed, and another takes over.</summary>
internal abstract class Cluster : IAsyncDisposable
{
    /// <summary>True if accepted events can be lost with the leader.</summary>
    public abstract bool MayLose { get; }

    /// <summary>Starts all servers, and returns when one leads.</summary>
    public abstract Task StartAsync();

    /// <summary>
    /// Victims' settings with which they use it: all servers are named, and none of them as the leader.
    /// </summary>
    public abstract VictimSettings Direct(VictimSettings settings);

    /// <summary>Kills the server that leads: SIGKILL.</summary>
    public abstract Task KillLeaderAsync();

    /// <summary>
    /// Tries one write with the plainest client that there is, on every server that is left, and tells whether one of
    /// them accepted it.
    /// </summary>
    /// <param name="number">A number that no other write has.</param>
    public abstract Task<bool> TryWriteAsync(long number);

    /// <summary>Starts the killed server again, and returns when it follows the new leader.</summary>
    public abstract Task RestoreAsync();

    /// <summary>Nothing is undelivered and nothing is unsettled in a subscription.</summary>
    public abstract Task<bool> IsIdleAsync();

    public abstract ValueTask DisposeAsync();
}
