namespace EventBus.Proof;

/// <summary>
/// A private broker on a free loopback port, which may be frozen, or killed and restarted with the data that it had
/// written.
/// </summary>
internal abstract class PrivateBroker : IAsyncDisposable
{
    /// <summary>The port for clients.</summary>
    public virtual int Port { get; } = FreePort.Next();

    /// <summary>The id of the server process.</summary>
    public abstract int ProcessId { get; }

    /// <summary>Starts or restarts the broker, and returns when it accepts connections.</summary>
    public abstract Task StartAsync();

    /// <summary>Kills the broker with SIGKILL.</summary>
    public abstract Task KillAsync();

    /// <summary>Creates a proxy for the clients of the broker.</summary>
    public virtual TcpProxy NewProxy() => new(Port);

    /// <summary>
    /// Starts what <see cref="HandshakeAsync"/> needs in addition, at the port of a proxy. By default nothing.
    /// </summary>
    public virtual Task WatchAsync(int port) => Task.CompletedTask;

    /// <summary>Returns the settings of victims that use the broker, at its own port or through a proxy.</summary>
    public abstract VictimSettings Direct(VictimSettings settings, int port);

    /// <summary>
    /// Connects with a separate client, and returns when the broker has answered. Throws if it does not answer.
    /// </summary>
    public abstract Task HandshakeAsync(int port, CancellationToken cancellationToken);

    /// <summary>Returns true if a subscription has no undelivered and no unsettled events.</summary>
    /// <param name="word">The first word of the names of its events.</param>
    /// <param name="subscription">Its name with the name of the application.</param>
    public abstract Task<bool> IsIdleAsync(string word, string subscription);

    public abstract ValueTask DisposeAsync();

    public void Freeze() => Native.Freeze(ProcessId);

    public void Thaw() => Native.Thaw(ProcessId);
}
