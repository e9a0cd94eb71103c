using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Contains the services that all running parts of one bus share. Immutable.</summary>
internal sealed record BusServices
{
    /// <summary>The clock of the application: for durations, timers and everything that no store compares.</summary>
    public required TimeProvider Time { get; init; }

    /// <summary>
    /// The clock of the stores: for due times and leases. Its wall time may differ from that of <see cref="Time"/>; its
    /// timestamps and timers are the same.
    /// </summary>
    public required TimeProvider StoreTime { get; init; }

    public required ILogger Log { get; init; }

    public required BusDiagnostics Diagnostics { get; init; }

    /// <summary>Starts background tasks.</summary>
    public required BackgroundRunner Runner { get; init; }

    public required RandomSource Random { get; init; }

    /// <summary>Set when work has ended, so that the bus may be idle.</summary>
    public required IdleSignal Idle { get; init; }

    /// <summary>Cancelled when the drain timeout has elapsed.</summary>
    public required CancellationToken Abort { get; init; }
}
