using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus;

/// <summary>Describes the state of the transport for the health check.</summary>
/// <param name="connector">The connections.</param>
/// <param name="publisher">The publisher; null before the start.</param>
/// <param name="receivers">The receivers of all subscriptions.</param>
/// <param name="monitor">The monitor of the topology; null before the start.</param>
/// <param name="brokerDeadLetters">The dead letters of the broker; null before the start.</param>
internal sealed class RabbitMqHealth(
    RabbitMqConnector connector,
    RabbitMqPublisher? publisher,
    IReadOnlyCollection<RabbitMqReceiver> receivers,
    RabbitMqTopologyMonitor? monitor,
    RabbitMqBrokerDeadLetters? brokerDeadLetters)
{
    public HealthCheckResult Check()
    {
        var failure = FindFailure();
        if (failure is not null)
        {
            return new HealthCheckResult(HealthStatus.Unhealthy, failure);
        }

        if (connector.Publishing.IsBlocked)
        {
            return new HealthCheckResult(
                HealthStatus.Degraded,
                "RabbitMQ is short of memory or disk, and accepts no events at present.");
        }

        var problem = brokerDeadLetters?.Problem;
        return problem is null
            ? HealthCheckResult.Healthy()
            : new HealthCheckResult(HealthStatus.Degraded, $"RabbitMQ at {connector.Address}: {problem}");
    }

    /// <summary>
    /// Describes the failure because of which events cannot be published or received; null if there is none.
    /// </summary>
    private string? FindFailure()
    {
        if (publisher is not { IsOpen: true })
        {
            var cause = RabbitMqErrors.CauseOf(publisher?.LastError) ?? "The connection is being opened.";
            return $"Events cannot be published to RabbitMQ at {connector.Address}: {cause}";
        }

        var unreadableMessage = receivers.Select(receiver => receiver.UnreadableMessage).FirstOrDefault(found => found is not null);
        if (unreadableMessage is not null)
        {
            return $"RabbitMQ at {connector.Address}: {unreadableMessage} Take the message out with the tools of the broker.";
        }

        var disconnected = receivers.FirstOrDefault(receiver => !receiver.IsLive);
        if (disconnected is not null)
        {
            return $"The subscription '{disconnected.Name}' receives nothing from RabbitMQ at {connector.Address}; its consumer is being "
                + $"opened again. {RabbitMqErrors.CauseOf(disconnected.LastError)}".TrimEnd();
        }

        var problem = monitor?.Problem;
        return problem is null ? null : $"RabbitMQ at {connector.Address}: {problem}";
    }
}
