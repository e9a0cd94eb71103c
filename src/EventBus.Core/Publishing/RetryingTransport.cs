using System.Runtime.CompilerServices;
using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus;

/// <summary>
/// Retries failed publishes of an inner transport. Events that were certainly not sent are sent again with the same id,
/// until they are accepted or rejected, or the deadline has passed.
/// </summary>
/// <remarks>
/// The order of each key is kept (<see cref="KeyedPublishQueue"/>): later calls of a key wait behind the one that is
/// retried. Not used for an in-process transport, which has no connection that could be restored.
/// </remarks>
internal sealed class RetryingTransport(Transport inner, TimeProvider time) : Transport
{
    private readonly KeyedPublishQueue queue = new();
    private readonly PublishRetry retry = new(inner, time);

    public override TransportFeatures Features => inner.Features;

    public override (long Accepted, long Settled) Work => inner.Work;

    public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) =>
        inner.StartAsync(topology, cancellationToken);

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        inner.SubscribeAsync(subscription, cancellationToken);

    public override bool MayHaveSubscribers(string eventName) => inner.MayHaveSubscribers(eventName);

    public override ValueTask<HealthCheckResult> CheckHealthAsync(CancellationToken cancellationToken) =>
        inner.CheckHealthAsync(cancellationToken);

    public override ValueTask<long> ReplayAsync(string subscription, ReplayStart start, CancellationToken cancellationToken) =>
        inner.ReplayAsync(subscription, start, cancellationToken);

    public override ValueTask RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken) =>
        inner.RetireAsync(subscription, discardWaiting, cancellationToken);

    public override ValueTask<(int Count, TimeSpan ExpiresAfter)?> CountOtherConsumersAsync(
        string subscription, CancellationToken cancellationToken) =>
        inner.CountOtherConsumersAsync(subscription, cancellationToken);

    public override ValueTask<SubscriptionQueue?> FindQueueAsync(
        string service, string subscription, CancellationToken cancellationToken) =>
        inner.FindQueueAsync(service, subscription, cancellationToken);

    public override ValueTask<IReadOnlyList<SubscriptionBacklog>> ReadBacklogAsync(CancellationToken cancellationToken) =>
        inner.ReadBacklogAsync(cancellationToken);

    public override ValueTask<BrokerDeadLetter?> TakeBrokerDeadLetterAsync(CancellationToken cancellationToken) =>
        inner.TakeBrokerDeadLetterAsync(cancellationToken);

    public override ValueTask DisposeAsync()
    {
        retry.Close();
        return inner.DisposeAsync();
    }

    // The builder reuses the state of completed calls.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask PublishAsync(
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        CancellationToken deadline)
    {
        var isWithoutKey = batch.Length == 1 && batch.Span[0].Key is null;
        var call = isWithoutKey ? null : queue.Enter(batch.Span);
        var possiblyAccepted = false;
        try
        {
            if (call is not null && !await call.EnterAsync(deadline))
            {
                outcomes.Span.Fill(PublishOutcome.Failed(
                    new TimeoutException("The deadline passed while the event waited for an earlier event of its key.")));
                return;
            }

            possiblyAccepted = true;
            var sending = inner.PublishAsync(batch, outcomes, deadline);
            call?.MarkSent();
            await sending;
            if (AreAllAccepted(outcomes.Span))
            {
                return;
            }

            // From here on, the call records by itself which events may have been accepted.
            possiblyAccepted = false;
            await retry.RunAsync(call, batch, outcomes, deadline);
        }
        finally
        {
            call?.Leave(possiblyAccepted);
        }
    }

    /// <summary>Returns true if all events were accepted, with or without a subscription that receives them.</summary>
    private static bool AreAllAccepted(ReadOnlySpan<PublishOutcome> outcomes)
    {
        foreach (var outcome in outcomes)
        {
            if (outcome.Status is not (PublishStatus.Accepted or PublishStatus.Unrouted))
            {
                return false;
            }
        }

        return true;
    }
}
