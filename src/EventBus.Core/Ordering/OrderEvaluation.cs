namespace EventBus;

/// <summary>Contains the combined decision of all guards of an event.</summary>
/// <param name="Decision">The decision.</param>
/// <param name="Position">The sequence number of the event; null if no guard uses sequence numbers.</param>
/// <param name="Waiting">The wait of a deferred event; null for another decision.</param>
internal readonly record struct OrderEvaluation(OrderDecision Decision, long? Position, Deferred? Waiting);
