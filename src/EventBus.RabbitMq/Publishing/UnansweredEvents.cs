using EventBus.Transports;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Holds the events that the broker did not answer before their channel ended, and that the next channel sends again.
/// Not thread-safe.
/// </summary>
internal sealed class UnansweredEvents(RabbitMqTopology topology)
{
    private readonly List<Unanswered> toSend = [];

    // The number of consecutive events that the broker refused because of the exchange.
    private int exchangeRefusals;

    /// <summary>
    /// Sets the outcome of the events without an answer, or sends them again, after the channel has ended.
    /// </summary>
    /// <remarks>
    /// If the broker refuses an event, it closes the channel without identifying the event. If only one event has no
    /// answer, it is that event. If there are several, earlier ones may have been accepted: they are sent again one at
    /// a time, unless the exchange itself is refused twice in a row.
    /// </remarks>
    /// <param name="unanswered">The events, in the order in which they were sent.</param>
    /// <param name="cause">The reason why the channel has ended.</param>
    /// <param name="mayCreate">True if the bus may create a missing exchange.</param>
    public void Settle(IReadOnlyList<Unanswered> unanswered, Exception cause, bool mayCreate)
    {
        if (!RabbitMqErrors.IsOfPublish(cause) || unanswered.Count == 0)
        {
            foreach (var sent in unanswered)
            {
                sent.Batch.Conclude(sent.Index, PublishOutcome.InDoubt(new InvalidOperationException(
                    $"The connection to RabbitMQ at {topology.Address} was lost before the confirm: {RabbitMqErrors.CauseOf(cause)}",
                    cause)));
            }

            return;
        }

        if (unanswered.Count > 1)
        {
            toSend.InsertRange(0, unanswered.Select(sent => sent with { WasSentBefore = true }));
            return;
        }

        var refused = unanswered[0];
        var isExchangeRestored = mayCreate && RabbitMqErrors.IsMissing(cause);
        if (isExchangeRestored)
        {
            // The exchange is created again before the next channel is used, so the event is sent again.
            if (!refused.WasSentBefore)
            {
                refused.Batch.PutBack(refused.Index);
            }

            toSend.Insert(0, refused);
        }
        else if (refused.WasSentBefore)
        {
            ConcludeSentBefore(refused, cause);
        }
        else
        {
            var advice = RabbitMqErrors.IsMissing(cause)
                ? $" Create the exchange '{topology.Exchange}', or give this user the permission to configure it."
                : "";
            refused.Batch.Conclude(refused.Index, PublishOutcome.Rejected(
                new InvalidOperationException($"RabbitMQ refuses the event: {RabbitMqErrors.CauseOf(cause)}{advice}", cause)));
        }
    }

    private void ConcludeSentBefore(Unanswered refused, Exception cause)
    {
        refused.Batch.Conclude(refused.Index, PublishOutcome.InDoubt(new InvalidOperationException(
            "RabbitMQ refused one of several unconfirmed events, and then this event when it was sent again: "
                + $"{RabbitMqErrors.CauseOf(cause)} It may have been accepted the first time.",
            cause)));
        if (RabbitMqErrors.IsOfExchange(cause))
        {
            exchangeRefusals++;
            if (exchangeRefusals > 1)
            {
                ConcludeAll(cause);
            }
        }
    }

    private void ConcludeAll(Exception cause)
    {
        foreach (var sent in toSend)
        {
            sent.Batch.Conclude(sent.Index, sent.WasSentBefore
                ? PublishOutcome.InDoubt(new InvalidOperationException(
                    $"RabbitMQ refused some of the unconfirmed events, and did not report which: {RabbitMqErrors.CauseOf(cause)}",
                    cause))
                : PublishOutcome.Failed(
                    new InvalidOperationException($"RabbitMQ refuses the events: {RabbitMqErrors.CauseOf(cause)}", cause)));
        }

        toSend.Clear();
        exchangeRefusals = 0;
    }

    /// <summary>
    /// Sends the unanswered events of the previous channel one at a time, so that a refusal identifies its event.
    /// </summary>
    public async Task SendAsync(ConfirmedChannel channel, CancellationToken end)
    {
        while (toSend.Count > 0)
        {
            await channel.EnterAsync(end);
            await channel.Unblocked.WaitAsync(end);
            var next = toSend[0];
            toSend.RemoveAt(0);
            var envelope = next.WasSentBefore ? next.Batch.TakeAgain(next.Index) : next.Batch.Take(next.Index);
            if (envelope is null)
            {
                channel.Leave();
                continue;
            }

            try
            {
                await channel.SendAsync(next.Batch, next.Index, envelope, topology, next.WasSentBefore);
            }
            catch (AlreadyClosedException) when (!next.WasSentBefore)
            {
                // Nothing was written, and the event waits again. The next channel sends it before all others.
                toSend.Insert(0, next);
                throw;
            }

            // The outcome comes from the broker or from the deadline. A queue without a majority does not answer, and
            // must not block other events after the deadline.
            await next.Batch.WhenConcluded(next.Index).WaitAsync(end);
            exchangeRefusals = 0;
        }
    }
}
