using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>What every part that runs shares. Abort is cancelled when the shutdown budget is spent.</summary>
internal sealed record RunEnvironment(TimeProvider Time, BusDiagnostics Diagnostics, ILogger Log, CancellationToken Abort);
