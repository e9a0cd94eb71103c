namespace EventBus;

/// <summary>What the guards say of an event.</summary>
internal readonly record struct OrderEvaluation(OrderDecision Decision, long? Position, Deferred? Waiting);
