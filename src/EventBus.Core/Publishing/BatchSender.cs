using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Sends many events with one call of the transport, so that they are pipelined. Each has its own trace and metrics if
/// they are observed. If one of them has a delay, all are sent or stored one by one.
/// </summary>
internal sealed class BatchSender(
    Transport transport,
    EventSender sender,
    SequentialSender sequential,
    PublishErrors errors,
    BusServices services)
{
    private readonly TimeProvider time = services.Time;
    private readonly BatchSpans spans = new(services.Diagnostics);

    /// <summary>Sends the follow-up events of a handler or a saga, with the timeout of the bus.</summary>
    /// <returns>The error of each event; null for an accepted event.</returns>
    public async Task<PublishException?[]> TrySendAsync(IReadOnlyList<Envelope> outbox)
    {
        var outcomes = new PublishOutcome[outbox.Count];
        await SendAsync(outbox.ToArray(), outcomes, timeout: null, CancellationToken.None);
        return [.. outcomes.Select((outcome, i) => errors.Of(outcome, outbox[i], isRepeated: true))];
    }

    /// <summary>Returns the error of an event, and logs it; null if the event was accepted.</summary>
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
            return await sequential.SendAsync(batch, outcomes, timeout, cancellationToken);
        }

        if (!services.Diagnostics.ObservesPublish)
        {
            return await SendTogetherAsync(batch, outcomes, timeout, cancellationToken);
        }

        var startedAt = time.GetTimestamp();
        var activities = spans.Start(batch.Span);
        try
        {
            return await SendTogetherAsync(batch, outcomes, timeout, cancellationToken);
        }
        finally
        {
            spans.End(activities, batch.Span, outcomes.Span, startedAt);
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
            MissingOutcomes.Fill(outcomes.Span, exception);
        }

        return !deadline.IsCancellationRequested;
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
}
