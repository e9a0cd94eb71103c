using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus;

/// <summary>Reports whether a bus can publish and consume.</summary>
internal sealed class BusHealthCheck(BusHost host) : IHealthCheck
{
    private const int MaxNamed = 10;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        await host.CallerContext.Leave();
        return await CheckAsync(context.Registration.FailureStatus, cancellationToken);
    }

    private async Task<HealthCheckResult> CheckAsync(HealthStatus failure, CancellationToken cancellationToken)
    {
        if (host.Running is not { } running)
        {
            return new HealthCheckResult(failure, "The event bus is not running.");
        }

        var status = new BusStatus(running);
        if (FailureOf(status) is { } reason)
        {
            return new HealthCheckResult(failure, reason);
        }

        var health = await running.Transport.CheckHealthAsync(cancellationToken);
        var description = health.Description is { } text ? PrintableText.Of(text) : null;
        if (health.Status is not (HealthStatus.Healthy or HealthStatus.Degraded))
        {
            return new HealthCheckResult(failure, description);
        }

        var complaints = Complaints(status).ToList();
        var data = health.Data.Concat(status.Leftovers).ToDictionary(
            each => PrintableText.Of(each.Key),
            each => each.Value is string value ? PrintableText.Of(value) : each.Value,
            StringComparer.Ordinal);
        return complaints.Count > 0
            ? HealthCheckResult.Degraded(PrintableText.Of($"{string.Join(' ', complaints)} {description}".TrimEnd()), data: data)
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
        return ended.Count > 0
            ? $"These subscriptions no longer take events: {string.Join(", ", ended)}. Restart this instance."
            : null;
    }

    /// <summary>Returns the problems of which an operator should know while the bus works, one sentence each.</summary>
    private static IEnumerable<string> Complaints(BusStatus status)
    {
        foreach (var (subscription, reason) in status.HeldSubscriptions)
        {
            yield return $"The subscription {subscription} takes no events: {reason}";
        }

        foreach (var (subscription, reason) in status.HeldBrokerDeadLetters.Take(MaxNamed))
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

        if (status.PausedSubscriptions.ToList() is { Count: > 0 } paused)
        {
            yield return $"These subscriptions are paused, because their attempts fail: {string.Join(", ", paused)}. They resume by "
                + "themselves once an event succeeds.";
        }

        if (status.SubscriptionsPausedByOperator.ToList() is { Count: > 0 } pausedByOperator)
        {
            yield return $"An operator has paused these subscriptions: {string.Join(", ", pausedByOperator)}. They take no events until "
                + "they are resumed.";
        }

        if (status.RefusedSagas is { Count: > 0 } refused)
        {
            yield return $"The saga store accepts the writes of other sagas, but not those of {refused.Count}: "
                + $"{string.Join(", ", refused.Take(MaxNamed))}. They are tried again.";
        }
    }
}
