namespace EventBus;

/// <summary>Holds a saga and the objects that execute it.</summary>
internal sealed record SagaRuntime(
    SagaDefinition Definition,
    SagaTransitions Transitions,
    SagaInterventions Interventions,
    SagaStepRunner Runner,
    SagaExecutor Executor,
    SagaErrorHandler Errors);
