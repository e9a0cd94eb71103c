using EventBus.Transports;

namespace EventBus;

/// <summary>An event that was sent and is not confirmed yet.</summary>
/// <param name="Batch">The batch of the event.</param>
/// <param name="Index">The index of the event in the batch.</param>
/// <param name="Id">The id of the event.</param>
/// <param name="SentAt">The timestamp at which it was written.</param>
/// <param name="WasSentBefore">
/// True if it was also sent over an earlier channel, and may have been accepted.
/// </param>
internal record struct UnconfirmedEvent(PublishBatch Batch, int Index, string Id, long SentAt, bool WasSentBefore)
{
    /// <summary>True if the broker has returned the event, because no queue receives it.</summary>
    public bool IsReturned { get; set; }

    /// <summary>Sets the outcome of the event.</summary>
    public readonly void Conclude(PublishOutcome outcome) => Batch.Conclude(Index, outcome);

    /// <summary>Gets the outcome that follows from the confirm of the event.</summary>
    /// <param name="accepted">True if the broker accepted the event; false if it refused it (nack).</param>
    public readonly PublishOutcome OutcomeOf(bool accepted)
    {
        if (!accepted)
        {
            return PublishOutcome.InDoubt(new InvalidOperationException(
                "RabbitMQ refused the event (nack): at least one queue is full, or could not store it. Other queues may have it."));
        }

        return IsReturned ? PublishOutcome.Unrouted : PublishOutcome.Accepted;
    }
}
