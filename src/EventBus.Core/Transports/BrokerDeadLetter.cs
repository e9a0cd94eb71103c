namespace EventBus.Transports;

/// <summary>An event that the broker itself gave up, to be kept as a dead letter.</summary>
/// <param name="Subscription">The subscription that it was meant for; another text where the broker does not say.</param>
/// <param name="Reason">Why it is a dead letter: <see cref="DeadLetterReason.DroppedByBroker"/>, or <see cref="DeadLetterReason.ProcessEnded"/> where it was handed out too often.</param>
/// <param name="Error">The reason in the broker's own term, and what it means.</param>
/// <param name="Delivery">The event. It is acknowledged when the dead letter is kept.</param>
public sealed record BrokerDeadLetter(string Subscription, DeadLetterReason Reason, string Error, Delivery Delivery);
