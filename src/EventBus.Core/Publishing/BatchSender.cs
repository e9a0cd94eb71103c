using System.Diagnostics;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Sends many events with one call of the transport, so that they are pipelined. Each has its own trace and metrics if
/// they are observed. Events with a delay are sent or stored one by one.
/// </summary>
internal sealed class BatchSender(
    Transport transport,
    EventSender sender,
    ObservedSender observed,
    PublishErrors errors,
    BusServices services)
{
    private readonly TimeProvider time = services.Time;
    private readonly BusDiagnostics diagnostics = services.Diagnostics;

    /// <summary>Sends the follow-up events of a handler or a saga, with the timeout of the bus.</summary>
    /// <returns>The error of each event; null for an accepted event.</returns>
    public async Task<PublishException?[]> TrySendAsync(IReadOnlyList<Envelope> outbox)
    {
        var outcomes = new PublishOutcome[outbox.Count];
        await SendAsync(outbox.ToArray(), outcomes, timeout: null, CancellationToken.None);
        return [.. outcomes.Select((outcome, i) => ErrorOf(outcome, outbox[i]))];
    }

    /// <summary>Returns the error of an event; null if it was accepted.</summary>
    public PublishException? ErrorOf(PublishOutcome outcome, Envelope envelope) => errors.Of(outcome, envelope);

    /// <summary>Sends events with one deadline.</summary>
    /// <param name="batch">The events.</param>
    /// <param name="outcomes">Receives the outcome of each event.</param>
    /// <param name="timeout">The time until the deadline; null for the timeout of the bus.</param>
    /// <param name="cancellationToken">Cancels the wait only.</param>
    /// <returns>
    /// False if no further events may be sent: the deadline has passed, or an event that was sent alone had no answer.
    /// </returns>
    public async Task<bool> SendAsync(
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        TimeSpan? timeout,
        CancellationToken cancellationToken)
    {
        if (batch.Length == 0)
        {
            return true;
        }

        if (HasDelayed(batch.Span))
        {
            return await SendOneByOneAsync(batch, outcomes, timeout, cancellationToken);
        }

        if (!diagnostics.ObservesPublish)
        {
            return await SendTogetherAsync(batch, outcomes, timeout, cancellationToken);
        }

        var startedAt = time.GetTimestamp();
        var activities = StartActivities(batch.Span);
        try
        {
            return await SendTogetherAsync(batch, outcomes, timeout, cancellationToken);
        }
        finally
        {
            EndActivities(activities, batch.Span, outcomes.Span, startedAt);
        }
    }

    private async Task<bool> SendTogetherAsync(
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        TimeSpan? timeout,
        CancellationToken cancellationToken)
    {
        var ownDeadline = timeout is { } own ? new CancellationTokenSource(own, time) : null;
        var deadline = ownDeadline?.Token ?? sender.Deadline();
        try
        {
            await transport.PublishAsync(batch, outcomes, deadline).AsTask().Observed().WaitAsync(cancellationToken);
            ownDeadline?.Dispose();
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The send continues and still needs its deadline, so the source of the deadline is not disposed.
            throw;
        }
        catch (Exception exception)
        {
            ownDeadline?.Dispose();

            // Events without an outcome are in doubt by default; this adds the reason.
            for (var i = 0; i < outcomes.Length; i++)
            {
                if (outcomes.Span[i] == default)
                {
                    outcomes.Span[i] = PublishOutcome.InDoubt(exception);
                }
            }
        }

        return !deadline.IsCancellationRequested;
    }

    /// <summary>Sends the events one by one with a common deadline, like events that are sent together.</summary>
    private async Task<bool> SendOneByOneAsync(
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        TimeSpan? timeout,
        CancellationToken cancellationToken)
    {
        var ownDeadline = timeout is { } own ? new CancellationTokenSource(own, time) : null;
        try
        {
            return await SendOneByOneAsync(batch, outcomes, ownDeadline?.Token ?? sender.Deadline(), cancellationToken);
        }
        finally
        {
            // A send whose caller was cancelled continues and still needs its deadline.
            if (!cancellationToken.IsCancellationRequested)
            {
                ownDeadline?.Dispose();
            }
        }
    }

    private async Task<bool> SendOneByOneAsync(
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        CancellationToken deadline,
        CancellationToken cancellationToken)
    {
        var order = default(KeyOrder);
        for (var i = 0; i < batch.Length; i++)
        {
            var envelope = batch.Span[i];
            var outcome = order.IsHeldBack(envelope.Key)
                ? KeyOrder.NotSent
                : await OutcomeOfAsync(observed.SendAsync(envelope, deadline, cancellationToken));
            outcomes.Span[i] = outcome;
            if (outcome.Status == PublishStatus.InDoubt || deadline.IsCancellationRequested)
            {
                outcomes.Span[(i + 1)..].Fill(
                    PublishOutcome.Failed(new TimeoutException("An earlier event of the list had no answer in time.")));
                return false;
            }

            order.Record(envelope.Key, outcome);
        }

        return true;
    }

    private Activity?[] StartActivities(ReadOnlySpan<Envelope> batch)
    {
        var parent = Activity.Current;
        var activities = new Activity?[batch.Length];
        for (var i = 0; i < batch.Length; i++)
        {
            activities[i] = diagnostics.StartPublish(batch[i].Name, batch[i].TraceParent, batch[i].TraceState);
            batch[i].TraceParent = activities[i]?.Id ?? batch[i].TraceParent;

            // The activities are siblings, not nested.
            Activity.Current = parent;
        }

        return activities;
    }

    private void EndActivities(
        Activity?[] activities,
        ReadOnlySpan<Envelope> batch,
        ReadOnlySpan<PublishOutcome> outcomes,
        long startedAt)
    {
        for (var i = 0; i < activities.Length; i++)
        {
            var status = outcomes[i].Status;
            var error = status is PublishStatus.Accepted or PublishStatus.Unrouted ? null : status.ToString();
            diagnostics.Published(activities[i], batch[i].Name, batch[i].Id, startedAt, error);
            activities[i]?.Dispose();
        }
    }

    private static bool HasDelayed(ReadOnlySpan<Envelope> batch)
    {
        foreach (var envelope in batch)
        {
            if (envelope.NotBefore is not null)
            {
                return true;
            }
        }

        return false;
    }

    private static async Task<PublishOutcome> OutcomeOfAsync(Task sending)
    {
        try
        {
            await sending;
            return PublishOutcome.Accepted;
        }
        catch (PublishException exception)
        {
            // Failed also for a rejection: PublishErrors then returns the exception itself instead of wrapping it.
            return exception.Failure == PublishFailure.InDoubt ? PublishOutcome.InDoubt(exception) : PublishOutcome.Failed(exception);
        }
    }
}
