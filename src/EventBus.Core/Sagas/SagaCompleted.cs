namespace EventBus;

/// <summary>A saga has ended well: every step was executed.</summary>
/// <param name="SagaId">The saga's id.</param>
/// <param name="Saga">The name of the saga that it is one of.</param>
[EventName("saga.completed")]
public sealed record SagaCompleted(string SagaId, string Saga);
