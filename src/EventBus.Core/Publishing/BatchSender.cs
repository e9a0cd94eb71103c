using System.Diagnostics;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Sends many events with one call of the transport, so that they are pipelined, also if each of them is observed by
/// traces or metrics.
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

    /// <summary>Sends stored events. Returns the error of each event; null for accepted events.</summary>
    public async Task<PublishException?[]> TrySendAsync(IReadOnlyList<Envelope> outbox)
    {
        var outcomes = new PublishOutcome[outbox.Count];
        await SendAsync(outbox.ToArray(), outcomes, null, CancellationToken.None);
        return [.. outcomes.Select((outcome, i) => ErrorOf(outcome, outbox[i]))];
    }

    /// <summary>Returns the error of an event; null if it was accepted.</summary>
    public PublishException? ErrorOf(PublishOutcome outcome, Envelope envelope) => errors.Of(outcome, envelope);

    /// <summary>Sends events with one deadline.</summary>
    /// <returns>False if the deadline passed before every event had an outcome.</returns>
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

        var startedAt = time.GetTimestamp();
        var activities = diagnostics.ObservesPublish ? StartActivities(batch.Span) : null;
        try
        {
            return await SendTogetherAsync(batch, outcomes, timeout, cancellationToken);
        }
        finally
        {
            for (var i = 0; i < activities?.Length; i++)
            {
                var (envelope, outcome) = (batch.Span[i], outcomes.Span[i]);
                diagnostics.Published(
                    activities[i],
                    envelope.Name,
                    envelope.Id,
                    startedAt,
                    outcome.Status is PublishStatus.Accepted or PublishStatus.Unrouted ? null : outcome.Status.ToString());
                activities[i]?.Dispose();
            }
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
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            // Events without an outcome are in doubt by default; this adds the reason.
            ownDeadline?.Dispose();
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
                // This event has no outcome within the deadline, so the events after it are not sent.
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
            return exception.Failure == PublishFailure.InDoubt ? PublishOutcome.InDoubt(exception) : PublishOutcome.Failed(exception);
        }
    }
}
