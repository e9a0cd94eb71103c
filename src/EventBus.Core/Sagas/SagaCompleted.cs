namespace EventBus;

/// <summary>Reports that a saga has completed: every step was executed, or skipped by an operator.</summary>
/// <param name="SagaId">The saga's id.</param>
/// <param name="Saga">The name under which the saga is registered.</param>
[EventName("saga.completed")]
public sealed record SagaCompleted(string SagaId, string Saga);
