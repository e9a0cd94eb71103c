namespace EventBus;

/// <summary>Specifies how the bus starts when its broker or store server is unreachable.</summary>
public enum StartupMode
{
    /// <summary>
    /// The host starts. The bus keeps trying to connect. Until it succeeds, its health check is unhealthy and publishes
    /// fail at their deadline.
    /// </summary>
    Degraded,

    /// <summary>The start fails with an error that names the unreachable server.</summary>
    FailFast,
}
