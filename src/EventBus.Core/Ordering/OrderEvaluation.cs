namespace EventBus;

/// <summary>Contains the combined decision of all guards of an event.</summary>
internal readonly record struct OrderEvaluation(OrderDecision Decision, long? Position, Deferred? Waiting);
