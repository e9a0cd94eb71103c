using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus;

/// <summary>Reports whether a bus can publish and consume.</summary>
internal sealed class BusHealthCheck(BusHost host) : IHealthCheck
{
    // The maximum number of entries in a list.
    private const int MaxListed = 10;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        await host.CallerContext.Leave();
        return await CheckAsync(context.Registration.FailureStatus, cancellationToken);
    }

    private async Task<HealthCheckResult> CheckAsync(HealthStatus failureStatus, CancellationToken cancellationToken)
    {
        if (host.Running is not { } running)
        {
            return new HealthCheckResult(failureStatus, "The event bus is not running.");
        }

        var status = new BusStatus(running);
        if (FailureOf(status) is { } reason)
        {
            return new HealthCheckResult(failureStatus, reason);
        }

        var health = await running.Transport.CheckHealthAsync(cancellationToken);
        var description = health.Description is { } text ? PrintableText.Of(text) : null;
        if (health.Status is not (HealthStatus.Healthy or HealthStatus.Degraded))
        {
            return new HealthCheckResult(failureStatus, description);
        }

        var warnings = WarningsOf(status).ToList();
        var data = health.Data.Concat(status.Leftovers).ToDictionary(
            each => PrintableText.Of(each.Key),
            each => each.Value is string value ? PrintableText.Of(value) : each.Value,
            StringComparer.Ordinal);
        return warnings.Count > 0
            ? HealthCheckResult.Degraded(PrintableText.Of($"{string.Join(' ', warnings)} {description}".TrimEnd()), data: data)
            : new HealthCheckResult(health.Status, description, data: data);
    }

    /// <summary>Returns why the bus cannot work, apart from its connection to the backend; null if it can.</summary>
    private static string? FailureOf(BusStatus status)
    {
        if (status.FailureStoreIsDown)
        {
            return "The failure store accepts no writes: failed events stay unacknowledged.";
        }

        if (status.SagaStoreIsDown)
        {
            return "The saga store accepts no writes: sagas stay at their last saved step.";
        }

        var ended = status.EndedSubscriptions.ToList();
        if (ended.Count > 0)
        {
            return $"These subscriptions no longer take events: {string.Join(", ", ended)}. Restart this instance.";
        }

        return null;
    }

    /// <summary>Returns the problems of which an operator should know while the bus works, one sentence each.</summary>
    private static IEnumerable<string> WarningsOf(BusStatus status)
    {
        foreach (var (subscription, reason) in status.HeldSubscriptions)
        {
            yield return $"The subscription {subscription} takes no events: {reason}";
        }

        foreach (var (subscription, reason) in status.HeldBrokerDeadLetters.Take(MaxListed))
        {
            yield return $"Events of {subscription} that the broker dead-lettered cannot be stored: {reason}";
        }

        foreach (var shortage in status.Shortages)
        {
            yield return shortage;
        }

        if (status.UnknownConsumers is { } consumers)
        {
            yield return consumers;
        }

        var paused = status.PausedSubscriptions.ToList();
        if (paused.Count > 0)
        {
            yield return $"These subscriptions are paused, because their attempts fail: {string.Join(", ", paused)}. They resume by "
                + "themselves once an event succeeds.";
        }

        var pausedByOperator = status.SubscriptionsPausedByOperator.ToList();
        if (pausedByOperator.Count > 0)
        {
            yield return $"An operator has paused these subscriptions: {string.Join(", ", pausedByOperator)}. They take no events until "
                + "they are resumed.";
        }

        var refused = status.RefusedSagas;
        if (refused.Count > 0)
        {
            yield return $"The saga store accepts the writes of other sagas, but not those of {refused.Count}: "
                + $"{string.Join(", ", refused.Take(MaxListed))}. The refused writes are repeated.";
        }
    }
}
