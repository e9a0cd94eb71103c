namespace EventBus.Proof;

/// <summary>
/// A broker of a proof's own, on a free port of the loopback; it may be frozen, and killed and started again on what it
/// had written.
/// </summary>
internal abstract class PrivateBroker : IAsyncDisposable
{
    public int Port { get; } = FreePort.Next();

    /// <summary>The process that serves.</summary>
    public abstract int ProcessId { get; }

    /// <summary>Starts it, also again, and returns when it takes connections.</summary>
    public abstract Task StartAsync();

    /// <summary>SIGKILL.</summary>
    public abstract Task KillAsync();

    /// <summary>Victims' settings with which they use it, at its own port or through a proxy.</summary>
    public abstract VictimSettings Direct(VictimSettings settings, int port);

    /// <summary>
    /// Connects as a client of its own does, and returns when the broker has answered. Throws when it does not.
    /// </summary>
    public abstract Task HandshakeAsync(int port, CancellationToken cancellationToken);

    /// <summary>Nothing is undelivered and nothing is unsettled in a subscription.</summary>
    /// <param name="word">The first word of its events.</param>
    /// <param name="subscription">Its name with that of the application.</param>
    public abstract Task<bool> IsIdleAsync(string word, string subscription);

    public abstract ValueTask DisposeAsync();

    public void Freeze() => Native.Freeze(ProcessId);

    public void Thaw() => Native.Thaw(ProcessId);
}
