using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Contains the services and settings that are common to all publishes of a bus.</summary>
internal sealed record PublisherEnvironment(TimeProvider Time, TimeSpan Timeout, EventIds Ids, BusDiagnostics Diagnostics, BackgroundRunner Runner, ILogger Log)
{
    /// <summary>The name of the bus on the backend and in the stores.</summary>
    public required string ServiceName { get; init; }

    /// <summary>The prefix of idempotency keys; empty for the default bus.</summary>
    public required string EffectPrefix { get; init; }

    /// <summary>True if the stores keep events as bytes, so that every event must be serializable.</summary>
    public bool StoresWrite { get; init; }

    /// <summary>
    /// The clock that schedules delayed events. Its wall time may differ from that of <see cref="Time"/>.
    /// </summary>
    public required TimeProvider Plans { get; init; }
}
