namespace EventBus;

/// <summary>An event that was sent, and of which the broker said nothing before the channel ended.</summary>
/// <param name="Batch">The call that it belongs to.</param>
/// <param name="Index">Its place there.</param>
/// <param name="WasSentBefore">It was sent over an earlier channel too, and may have been taken.</param>
internal readonly record struct Unanswered(PublishBatch Batch, int Index, bool WasSentBefore);
