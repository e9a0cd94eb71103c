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
