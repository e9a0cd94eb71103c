namespace EventBus.Transports;

/// <summary>Describes an event that the broker itself dropped. The bus stores it as a dead letter.</summary>
/// <param name="Subscription">
/// The subscription that the event was intended for, or another name for the dead letter if the broker does not say.
/// </param>
/// <param name="Reason">
/// The reason of the dead letter: <see cref="DeadLetterReason.DroppedByBroker"/>, or
/// <see cref="DeadLetterReason.ProcessEnded"/> if the event was delivered too often.
/// </param>
/// <param name="Error">The reason in the broker's own term, and its meaning.</param>
/// <param name="Delivery">The event. It is acknowledged when the dead letter is stored.</param>
public sealed record BrokerDeadLetter(string Subscription, DeadLetterReason Reason, string Error, Delivery Delivery);
