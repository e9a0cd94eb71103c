using EventBus.Transports;

namespace EventBus;

/// <summary>Sends many events one by one. Of each key, no event is sent after one that was not accepted.</summary>
internal sealed class SequentialSender(EventSender sender, ObservedSender observed, TimeProvider time)
{
    /// <summary>Sends the events one by one with a common deadline, like events that are sent together.</summary>
    /// <param name="batch">The events.</param>
    /// <param name="outcomes">Receives the outcome of each event.</param>
    /// <param name="timeout">The time until the deadline; null for the timeout of the bus.</param>
    /// <param name="cancellationToken">Cancels the wait only.</param>
    /// <returns>False if no further events may be sent: the deadline has passed, or an event had no answer.</returns>
    public async Task<bool> SendAsync(
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        TimeSpan? timeout,
        CancellationToken cancellationToken)
    {
        var ownDeadline = timeout is { } own ? new CancellationTokenSource(own, time) : null;
        try
        {
            return await SendAsync(batch, outcomes, ownDeadline?.Token ?? sender.Deadline(), cancellationToken);
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

    private async Task<bool> SendAsync(
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
