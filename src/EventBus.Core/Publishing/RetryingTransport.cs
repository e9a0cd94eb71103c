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
    /// <summary>The delays between the attempts to send an event.</summary>
    internal static readonly Backoff RetryDelays = new(TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(500));

    private readonly KeyedPublishQueue queue = new();
    private readonly TaskCompletionSource closing = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override TransportFeatures Features => inner.Features;

    public override (long Accepted, long Settled) Work => inner.Work;

    public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) =>
        inner.StartAsync(topology, cancellationToken);

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        inner.SubscribeAsync(subscription, cancellationToken);

    public override bool MayHaveSubscribers(string eventName) => inner.MayHaveSubscribers(eventName);

    public override ValueTask<HealthCheckResult> CheckHealthAsync(CancellationToken cancellationToken) =>
        inner.CheckHealthAsync(cancellationToken);

    public override ValueTask RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken) =>
        inner.RetireAsync(subscription, discardWaiting, cancellationToken);

    public override ValueTask<(int Count, TimeSpan ExpiresAfter)?> CountOtherConsumersAsync(
        string subscription, CancellationToken cancellationToken) =>
        inner.CountOtherConsumersAsync(subscription, cancellationToken);

    public override ValueTask<SubscriptionQueue?> FindQueueAsync(
        string service, string subscription, CancellationToken cancellationToken) =>
        inner.FindQueueAsync(service, subscription, cancellationToken);

    public override ValueTask<BrokerDeadLetter?> TakeBrokerDeadLetterAsync(CancellationToken cancellationToken) =>
        inner.TakeBrokerDeadLetterAsync(cancellationToken);

    public override ValueTask DisposeAsync()
    {
        closing.TrySetResult();
        return inner.DisposeAsync();
    }

    public override async ValueTask PublishAsync(
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        CancellationToken deadline)
    {
        var call = queue.Enter(batch.Span);
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
            await RetryAsync(call, batch, outcomes, deadline);
        }
        finally
        {
            call?.Leave(possiblyAccepted);
        }
    }

    /// <summary>Sends the failed events of a batch again until none is left, or the deadline has passed.</summary>
    private async Task RetryAsync(
        PublishCall? call,
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        CancellationToken deadline)
    {
        var failures = 0;
        while (true)
        {
            failures++;
            var retried = call is null
                ? RepeatablePublishes.Find(batch.Span, outcomes.Span, call: null)
                : call.Conclude(batch.Span, outcomes.Span);
            if (retried.Count == 0)
            {
                return;
            }

            if (!await PauseAsync(RetryDelays.After(failures), deadline))
            {
                return;
            }

            if (call is not null && !await call.EnterAsync(deadline))
            {
                return;
            }

            call?.RemoveOvertaken(retried, batch);
            if (retried.Count == 0)
            {
                return;
            }

            await SendAsync([.. retried], batch, outcomes, deadline);
        }
    }

    /// <summary>Sends the events of a batch at the given indexes.</summary>
    private async Task SendAsync(int[] indexes, ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        var events = new Envelope[indexes.Length];
        var answers = new PublishOutcome[indexes.Length];
        for (var i = 0; i < indexes.Length; i++)
        {
            events[i] = batch.Span[indexes[i]];
        }

        try
        {
            await inner.PublishAsync(events, answers, deadline);
        }
        catch (Exception exception)
        {
            // Events that get no outcome from this attempt are in doubt, as after the first attempt.
            for (var i = 0; i < indexes.Length; i++)
            {
                if (answers[i] == default)
                {
                    answers[i] = PublishOutcome.InDoubt(exception);
                }
            }
        }

        for (var i = 0; i < indexes.Length; i++)
        {
            outcomes.Span[indexes[i]] = answers[i];
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

    /// <summary>Waits for the backoff before the next attempt.</summary>
    /// <returns>False if the deadline has passed or the transport is being closed.</returns>
    private async Task<bool> PauseAsync(TimeSpan delay, CancellationToken deadline)
    {
        await Task.WhenAny(Task.Delay(delay, time, deadline), closing.Task);
        return !deadline.IsCancellationRequested && !closing.Task.IsCompleted;
    }
}
