using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// The services that all running parts share. <c>Abort</c> is cancelled when the shutdown timeout has elapsed.
/// </summary>
internal sealed record RunEnvironment(TimeProvider Time, BusDiagnostics Diagnostics, ILogger Log, CancellationToken Abort);
