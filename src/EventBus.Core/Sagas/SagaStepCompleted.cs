namespace EventBus;

/// <summary>
/// Reports that a step of a saga was executed. The event's key and correlation id are the saga's id. The event's own id
/// is the same each time the event is sent.
/// </summary>
/// <param name="SagaId">The saga's id.</param>
/// <param name="Saga">The name under which the saga is registered.</param>
/// <param name="Step">The step's name.</param>
[EventName("saga.step.completed")]
public sealed record SagaStepCompleted(string SagaId, string Saga, string Step);
