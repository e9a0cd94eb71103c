using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus;

/// <summary>Reports whether a bus can publish and consume.</summary>
internal sealed class BusHealthCheck(BusHost host) : IHealthCheck
{
    private const int MostNamed = 10;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        host.CallerContext.EnterAsync(() => CheckAsync(context, cancellationToken));

    private async Task<HealthCheckResult> CheckAsync(HealthCheckContext context, CancellationToken cancellationToken)
    {
        if (host.Running is not { } running)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, "The event bus is not running.");
        }

        var status = new BusStatus(running);
        if (status.FailureStoreIsDown)
        {
            return new HealthCheckResult(
                context.Registration.FailureStatus,
                "The failure store does not take writes: failed events stay unacknowledged until it does.");
        }

        if (status.SagaStoreIsDown)
        {
            return new HealthCheckResult(
                context.Registration.FailureStatus,
                "The saga store does not take writes: sagas stay at their last saved step until it does.");
        }

        if (status.EndedSubscriptions.ToList() is { Count: > 0 } ended)
        {
            return new HealthCheckResult(
                context.Registration.FailureStatus,
                $"These subscriptions no longer take events: {string.Join(", ", ended)}. Restart this instance.");
        }

        var health = await running.Transport.CheckHealthAsync(cancellationToken);
        var description = health.Description is { } text ? PrintableText.Of(text) : null;
        if (health.Status is not (HealthStatus.Healthy or HealthStatus.Degraded))
        {
            return new HealthCheckResult(context.Registration.FailureStatus, description);
        }

        List<string> complaints =
        [
            .. status.HeldSubscriptions.Select(held => $"The subscription {held.Subscription} takes no events: {held.Reason}"),
            .. status.HeldBrokerDeadLetters.Take(MostNamed)
                .Select(held => $"Events of {held.Subscription} that the broker dead-lettered cannot be stored: {held.Reason}"),
            .. status.Shortages,
        ];
        if (status.UnknownConsumers is { } foreign)
        {
            complaints.Add(foreign);
        }

        if (status.PausedSubscriptions.ToList() is { Count: > 0 } paused)
        {
            complaints.Add($"These subscriptions are paused, because their attempts fail: {string.Join(", ", paused)}. They resume by "
                + "themselves once an event succeeds.");
        }

        if (status.SubscriptionsPausedByOperator.ToList() is { Count: > 0 } pausedByOperator)
        {
            complaints.Add($"An operator has paused these subscriptions: {string.Join(", ", pausedByOperator)}. They take no events "
                + "until they are resumed.");
        }

        if (status.RefusedSagas is { Count: > 0 } refused)
        {
            complaints.Add($"The saga store does not take {refused.Count} sagas, while it takes others: "
                + $"{string.Join(", ", refused.Take(MostNamed))}. They are tried again.");
        }

        var data = health.Data.Concat(status.Leftovers).ToDictionary(
            each => PrintableText.Of(each.Key),
            each => each.Value is string said ? PrintableText.Of(said) : each.Value,
            StringComparer.Ordinal);
        return complaints.Count > 0 ? HealthCheckResult.Degraded(
            PrintableText.Of($"{string.Join(' ', complaints)} {description}".TrimEnd()),
            data: data)
            : health.Status == HealthStatus.Healthy ? HealthCheckResult.Healthy(description, data)
            : HealthCheckResult.Degraded(description, data: data);
    }
}
