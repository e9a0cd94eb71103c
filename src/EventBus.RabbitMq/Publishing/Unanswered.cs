namespace EventBus;

/// <summary>Describes an event that was sent, and that the broker did not answer before the channel ended.</summary>
/// <param name="Batch">The batch of the event.</param>
/// <param name="Index">The index of the event in the batch.</param>
/// <param name="WasSentBefore">True if it was also sent over an earlier channel, and may have been accepted.</param>
internal readonly record struct Unanswered(PublishBatch Batch, int Index, bool WasSentBefore);
