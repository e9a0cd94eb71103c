using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>What every idempotent subscription of a bus shares.</summary>
internal sealed record IdempotencyEnvironment(TimeProvider Time, TimeSpan Lease, BackgroundRunner Runner, ILogger Log);
