namespace EventBus;

/// <summary>
/// Reports that a step of a saga was executed. Its key and its correlation id are the saga's id. Its own id is the same
/// each time it is sent.
/// </summary>
/// <param name="SagaId">The saga's id.</param>
/// <param name="Saga">The name under which the saga is registered.</param>
/// <param name="Step">The step's name.</param>
[EventName("saga.step.completed")]
public sealed record SagaStepCompleted(string SagaId, string Saga, string Step);
