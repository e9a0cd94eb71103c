namespace EventBus;

/// <summary>What a saga said of itself.</summary>
internal sealed record SagaDescription(SagaRegistration Model, int StateVersion, IReadOnlyList<SagaStepRegistration> Steps);
