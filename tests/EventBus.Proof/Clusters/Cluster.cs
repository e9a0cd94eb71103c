namespace EventBus.Proof;

/// <summary>A private group of servers whose leader is killed, so that another server takes over.</summary>
internal abstract class Cluster : IAsyncDisposable
{
    /// <summary>True if accepted events can be lost with the leader.</summary>
    public abstract bool MayLose { get; }

    /// <summary>Starts all servers, and returns when there is a leader.</summary>
    public abstract Task StartAsync();

    /// <summary>
    /// Returns the settings of victims that use the cluster: they name all servers, and none of them as the leader.
    /// </summary>
    public abstract VictimSettings Direct(VictimSettings settings);

    /// <summary>Kills the leader with SIGKILL.</summary>
    public abstract Task KillLeaderAsync();

    /// <summary>
    /// Tries one write with a minimal client on each remaining server. Returns true if one of them accepted it.
    /// </summary>
    /// <param name="number">The unique number of the write.</param>
    public abstract Task<bool> TryWriteAsync(long number);

    /// <summary>Starts the killed server again, and returns when it follows the new leader.</summary>
    public abstract Task RestoreAsync();

    /// <summary>Returns true if a subscription has no undelivered and no unsettled events.</summary>
    public abstract Task<bool> IsIdleAsync();

    public abstract ValueTask DisposeAsync();
}
