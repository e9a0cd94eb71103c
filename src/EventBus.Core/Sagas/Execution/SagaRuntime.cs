namespace EventBus;

/// <summary>Holds a saga and the objects that execute it.</summary>
internal sealed record SagaRuntime(SagaDefinition Definition, SagaTransitions Moves, SagaStepRunner Runner, SagaExecutor Executor);
