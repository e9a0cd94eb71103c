using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus;

/// <summary>
/// Describes the state of the transport for the health check. It is judged by an answer of the cluster and by what
/// works, not by errors of the client: connections that are closed for being idle are errors to it.
/// </summary>
/// <param name="connector">The clients.</param>
/// <param name="topics">The topics; null before the start.</param>
/// <param name="publisher">The publisher; null before the start.</param>
/// <param name="receivers">The receivers of all subscriptions.</param>
internal sealed class KafkaHealth(
    KafkaConnector connector, KafkaTopics? topics, KafkaPublisher? publisher, IReadOnlyCollection<KafkaReceiver> receivers)
{
    private static readonly TimeSpan PingTimeout = TimeSpan.FromMilliseconds(400);

    public async ValueTask<HealthCheckResult> CheckAsync(CancellationToken cancellationToken)
    {
        try
        {
            await connector.Admin.PingAsync(PingTimeout, cancellationToken);
        }
        catch (Exception exception) when (KafkaErrors.IsCallFailure(exception))
        {
            var cause = connector.Admin.LastError is { } error ? KafkaErrors.CauseOf(error) : KafkaErrors.CauseOf(exception);
            return new HealthCheckResult(
                HealthStatus.Unhealthy,
                $"Kafka at {connector.Address} gives no answer: {cause} Check that the brokers run and can be reached.");
        }

        return Check();
    }

    private HealthCheckResult Check()
    {
        if (publisher is null or { Failure: not null })
        {
            return new HealthCheckResult(
                HealthStatus.Unhealthy,
                $"Events cannot be published to Kafka at {connector.Address}: {publisher?.Failure ?? "The transport was not started."}");
        }

        if (receivers.Select(receiver => receiver.Failure).FirstOrDefault(failure => failure is not null) is { } failure)
        {
            return new HealthCheckResult(HealthStatus.Unhealthy, $"Kafka at {connector.Address}: {failure}");
        }

        var warning = topics?.Problem ?? receivers.Select(receiver => receiver.Warning).FirstOrDefault(each => each is not null);
        return warning is null
            ? HealthCheckResult.Healthy()
            : new HealthCheckResult(HealthStatus.Degraded, $"Kafka at {connector.Address}: {warning}");
    }
}
