using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus;

/// <summary>Describes the state of the transport over Redis Streams for the health check.</summary>
internal static class RedisStreamsHealth
{
    /// <summary>The result if Redis does not answer.</summary>
    public static HealthCheckResult Unreachable(RedisAddress address, Exception exception) => new(
        HealthStatus.Unhealthy,
        $"Redis at {address} is out of reach: {RedisAddress.CauseOf(exception)}. Events cannot be published or received until it answers.");

    /// <summary>Describes the state of the receivers and of the streams while Redis answers.</summary>
    /// <param name="receivers">The receivers; those that are stopping are left out.</param>
    /// <param name="catalog">The catalog of the streams; null before the start.</param>
    /// <param name="trimmer">The trimmer; null before the start.</param>
    public static HealthCheckResult Of(RedisReceiver[] receivers, RedisStreamCatalog? catalog, RedisTrimmer? trimmer)
    {
        var stalled = Array.Find(receivers, each => !each.IsStopping && each.Problem is not null);
        if (stalled is not null)
        {
            return new HealthCheckResult(
                HealthStatus.Unhealthy, $"The subscription '{stalled.Subscription}' receives nothing: {stalled.Problem}");
        }

        var warning = receivers.Where(each => !each.IsStopping).Select(each => each.Warning).FirstOrDefault(each => each is not null);
        var problem = warning ?? catalog?.Problem ?? trimmer?.Problem;
        return new HealthCheckResult(problem is null ? HealthStatus.Healthy : HealthStatus.Degraded, problem, data: trimmer?.Data);
    }
}
