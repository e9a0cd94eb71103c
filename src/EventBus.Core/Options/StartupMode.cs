namespace EventBus;

/// <summary>What becomes of the start of a bus whose broker or store server is out of reach.</summary>
public enum StartupMode
{
    /// <summary>The host starts. The bus keeps trying, its health check is unhealthy until it succeeds, and publishing fails at its deadline until then.</summary>
    Degraded,

    /// <summary>The start fails with an error that says what is out of reach.</summary>
    FailFast,
}
