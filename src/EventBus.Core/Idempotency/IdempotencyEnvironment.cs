using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Contains the services that are common to all idempotent subscriptions of a bus.</summary>
internal sealed record IdempotencyEnvironment(TimeProvider Time, TimeSpan Lease, BackgroundRunner Runner, ILogger Log);
