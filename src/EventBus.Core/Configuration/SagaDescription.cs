namespace EventBus;

/// <summary>Contains the state version and the steps that a saga has declared.</summary>
internal sealed record SagaDescription(SagaRegistration Registration, int StateVersion, IReadOnlyList<SagaStepRegistration> Steps);
