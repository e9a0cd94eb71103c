using System.Collections.ObjectModel;

namespace EventBus.Transports;

/// <summary>The state of a backend's connection.</summary>
/// <param name="State">How well it works.</param>
/// <param name="Description">What is wrong and what to do, without secrets; null when healthy.</param>
public sealed record TransportHealth(TransportState State, string? Description = null)
{
    /// <summary>What an operator may want to know whatever the state is, by name: the data of the health check. Default nothing.</summary>
    public IReadOnlyDictionary<string, object> Data { get; init; } = ReadOnlyDictionary<string, object>.Empty;

    /// <summary>All is well.</summary>
    public static TransportHealth Healthy { get; } = new(TransportState.Healthy);
}

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

/// <summary>How much work a transport has taken and finished, for waiting until it is idle.</summary>
/// <param name="Accepted">Deliveries accepted since the start, one for each subscription of an event.</param>
/// <param name="Settled">Deliveries acknowledged since the start.</param>
public readonly record struct TransportWork(long Accepted, long Settled);
