using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>What every publisher of a bus shares.</summary>
internal sealed record PublisherEnvironment(TimeProvider Time, TimeSpan Timeout, EventIds Ids, BusDiagnostics Diagnostics, AsyncLocal<bool> InHandler, ILogger Log)
{
    /// <summary>The name under which the bus works.</summary>
    public required string ServiceName { get; init; }

    /// <summary>What the keys of effects begin with: nothing for the default bus.</summary>
    public required string EffectPrefix { get; init; }

    /// <summary>The stores keep events as bytes: what may get there must be writable.</summary>
    public bool StoresWrite { get; init; }

    /// <summary>The clock of what is delayed. Its wall time may differ from that of <see cref="Time"/>.</summary>
    public required TimeProvider Plans { get; init; }
}
