namespace EventBus;

/// <summary>A step of a saga was executed. Published with the saga's id as key and correlation id, and an id that is the same however often it is sent.</summary>
/// <param name="SagaId">The saga's id.</param>
/// <param name="Saga">The name of the saga that it is one of.</param>
/// <param name="Step">The step's name.</param>
[EventName("saga.step.completed")]
public sealed record SagaStepCompleted(string SagaId, string Saga, string Step);
