using System.Collections.ObjectModel;

namespace EventBus.Transports;

/// <summary>The state of a backend's connection.</summary>
/// <param name="State">The state of the connection.</param>
/// <param name="Description">The problem and its solution, without secrets; null when healthy.</param>
public sealed record TransportHealth(TransportState State, string? Description = null)
{
    /// <summary>Additional values for an operator, by name: the data of the health check. Default none.</summary>
    public IReadOnlyDictionary<string, object> Data { get; init; } = ReadOnlyDictionary<string, object>.Empty;

    /// <summary>The value for a healthy connection.</summary>
    public static TransportHealth Healthy { get; } = new(TransportState.Healthy);
}
