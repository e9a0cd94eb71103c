using EventBus.Transports;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Holds the events that the broker did not answer before their channel ended, and that the next channel sends again.
/// Not thread-safe.
/// </summary>
internal sealed class UnansweredEvents(RabbitMqTopology topology)
{
    private readonly List<Unanswered> again = [];

    // The number of consecutive events for which the broker has refused the exchange.
    private int refusals;

    /// <summary>
    /// Sets the outcome of the events without an answer, or sends them again, after the channel has ended.
    /// </summary>
    /// <remarks>
    /// If the broker refuses an event, it closes the channel without identifying the event. If only one event has no
    /// answer, it is that event. If there are several, earlier ones may have been accepted: they are sent again one at
    /// a time, unless the exchange itself is refused twice in a row.
    /// </remarks>
    /// <param name="rest">The events, in the order in which they were sent.</param>
    /// <param name="cause">The reason why the channel has ended.</param>
    /// <param name="mayCreate">True if the bus may create a missing exchange.</param>
    public void Settle(IReadOnlyList<Unanswered> rest, Exception cause, bool mayCreate)
    {
        if (!RabbitMqErrors.IsOfPublish(cause) || rest.Count == 0)
        {
            foreach (var publish in rest)
            {
                publish.Batch.Conclude(publish.Index, PublishOutcome.InDoubt(
                    new InvalidOperationException($"The connection to RabbitMQ was lost before the confirm: {cause.Message}", cause)));
            }

            return;
        }

        // The bus creates a missing exchange again before the next channel is used.
        var isRestored = mayCreate && RabbitMqErrors.IsMissing(cause);
        if (rest is not [var only])
        {
            again.InsertRange(0, rest.Select(publish => publish with { WasSentBefore = true }));
        }
        else if (isRestored)
        {
            if (!only.WasSentBefore)
            {
                only.Batch.PutBack(only.Index);
            }

            again.Insert(0, only);
        }
        else if (only.WasSentBefore)
        {
            only.Batch.Conclude(only.Index, PublishOutcome.InDoubt(new InvalidOperationException(
                "RabbitMQ refused one of several unconfirmed events, and then this event when it was sent again: "
                    + $"{RabbitMqErrors.CauseOf(cause)} It may have been accepted the first time.",
                cause)));
            if (RabbitMqErrors.IsOfExchange(cause))
            {
                refusals++;
                if (refusals > 1)
                {
                    ConcludeRest(cause);
                }
            }
        }
        else
        {
            var advice = RabbitMqErrors.IsMissing(cause)
                ? $" Create the exchange '{topology.Exchange}', or give this user the permission to configure it."
                : "";
            only.Batch.Conclude(only.Index, PublishOutcome.Rejected(
                new InvalidOperationException($"RabbitMQ refuses the event: {RabbitMqErrors.CauseOf(cause)}{advice}", cause)));
        }
    }

    private void ConcludeRest(Exception cause)
    {
        foreach (var publish in again)
        {
            publish.Batch.Conclude(publish.Index, publish.WasSentBefore
                ? PublishOutcome.InDoubt(new InvalidOperationException(
                    $"RabbitMQ refused some of the unconfirmed events, and did not report which: {RabbitMqErrors.CauseOf(cause)}",
                    cause))
                : PublishOutcome.Failed(
                    new InvalidOperationException($"RabbitMQ refuses the events: {RabbitMqErrors.CauseOf(cause)}", cause)));
        }

        again.Clear();
        refusals = 0;
    }

    /// <summary>
    /// Sends the unanswered events of the previous channel one at a time, so that a refusal identifies its event.
    /// </summary>
    public async Task SendAsync(ConfirmedChannel channel, CancellationToken end)
    {
        while (again is [var publish, ..])
        {
            await channel.EnterAsync(end);
            await channel.Unblocked.WaitAsync(end);
            again.RemoveAt(0);
            var envelope = publish.WasSentBefore ? publish.Batch.TakeAgain(publish.Index) : publish.Batch.Take(publish.Index);
            if (envelope is null)
            {
                channel.Leave();
                continue;
            }

            try
            {
                await channel.SendAsync(publish.Batch, publish.Index, envelope, topology, publish.WasSentBefore);
            }
            catch (AlreadyClosedException) when (!publish.WasSentBefore)
            {
                // Nothing was written, and the event waits again. The next channel sends it before all others.
                again.Insert(0, publish);
                throw;
            }

            // The outcome comes from the broker or from the deadline. A queue without a majority does not answer, and
            // must not block other events after the deadline.
            await publish.Batch.Concluded(publish.Index).WaitAsync(end);
            refusals = 0;
        }
    }
}
