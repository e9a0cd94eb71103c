namespace EventBus.Transports;

/// <summary>Specifies how well a backend works.</summary>
public enum TransportState
{
    /// <summary>Publishing and consuming work.</summary>
    Healthy,

    /// <summary>The backend works, but an operator should investigate.</summary>
    Degraded,

    /// <summary>Publishing or consuming does not work.</summary>
    Unhealthy,
}
