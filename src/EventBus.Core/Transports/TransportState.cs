namespace EventBus.Transports;

/// <summary>How well a backend works.</summary>
public enum TransportState
{
    /// <summary>Publishing and consuming work.</summary>
    Healthy,

    /// <summary>It works, and somebody should look.</summary>
    Degraded,

    /// <summary>Publishing or consuming does not work.</summary>
    Unhealthy,
}
