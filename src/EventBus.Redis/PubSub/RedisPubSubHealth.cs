using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Describes the state of the transport over Redis Pub/Sub for the health check.</summary>
internal static class RedisPubSubHealth
{
    /// <summary>The result if Redis does not answer.</summary>
    public static HealthCheckResult Unreachable(RedisAddress address, Exception exception) => new(
        HealthStatus.Unhealthy,
        $"Redis at {address} is out of reach: {RedisAddress.CauseOf(exception)}. Events cannot be published or received until it answers; "
            + "events of other instances are lost meanwhile.");

    /// <summary>Describes the state of the receivers while Redis answers.</summary>
    public static HealthCheckResult Of(IReadOnlyList<RedisPubSubReceiver> receivers, ISubscriber subscriber)
    {
        var disconnected = receivers.FirstOrDefault(each => !each.IsStopping && !each.IsConnected(subscriber));
        if (disconnected is not null)
        {
            return new HealthCheckResult(
                HealthStatus.Unhealthy,
                $"The subscription '{disconnected.Subscription.Name}' is not connected, and its events are lost until it is.");
        }

        var overflowing = receivers.FirstOrDefault(each => each.IsOverflowing);
        if (overflowing is not null)
        {
            return new HealthCheckResult(
                HealthStatus.Degraded,
                $"The subscription '{overflowing.Subscription.Name}' dropped events in the last minute, because its handlers are too slow. "
                    + "Make its handlers faster, raise its concurrency, or use a backend that stores events.");
        }

        return HealthCheckResult.Healthy();
    }
}
