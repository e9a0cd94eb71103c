using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus;

/// <summary>
/// Retries failed publishes of an inner transport. Events that were certainly not sent are sent again with the same id,
/// until they are accepted or rejected, or the deadline has passed.
/// </summary>
/// <remarks>
/// The order of each key is kept (<see cref="KeyedPublishQueue"/>): later calls of a key wait behind the one that is
/// retried. Not used for an in-process transport, which has no connection that may come back.
/// </remarks>
internal sealed class RetryingTransport(Transport inner, TimeProvider time) : Transport
{
    /// <summary>The delays between the attempts to send an event.</summary>
    internal static readonly Backoff RetryDelays = new(TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(500));

    private readonly KeyedPublishQueue lines = new();
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
        var call = batch.Length == 1 && batch.Span[0].Key is null ? null : lines.Enter(batch.Span);
        var taken = false;
        try
        {
            if (call is not null && !await call.EnterAsync(deadline))
            {
                outcomes.Span.Fill(PublishOutcome.Failed(
                    new TimeoutException("The time was up while the event waited behind an earlier one of its key.")));
                return;
            }

            taken = true;
            var sending = inner.PublishAsync(batch, outcomes, deadline);
            call?.MarkSent();
            await sending;
            if (AreTaken(outcomes.Span))
            {
                return;
            }

            taken = false;
            await RepeatAsync(call, batch, outcomes, deadline);
        }
        finally
        {
            call?.Leave(taken);
        }
    }

    private async Task RepeatAsync(
        PublishCall? call,
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        CancellationToken deadline)
    {
        var failures = 0;
        while (true)
        {
            failures++;
            var again = call is null ? RepeatablePublishes.Find(batch.Span, outcomes.Span, call) : call.Conclude(batch.Span, outcomes.Span);
            if (again.Count == 0)
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

            call?.LeaveOutOvertaken(again, batch);
            if (again.Count == 0)
            {
                return;
            }

            await SendAsync([.. again], batch, outcomes, deadline);
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

    private static bool AreTaken(ReadOnlySpan<PublishOutcome> outcomes)
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
