namespace EventBus;

/// <summary>A saga has failed and ended: everything was undone, or people ended it as it stood.</summary>
/// <param name="SagaId">The saga's id.</param>
/// <param name="Saga">The name of the saga that it is one of.</param>
/// <param name="Status">How it ended: <c>compensated</c>, or <c>finished</c> by people.</param>
/// <param name="FailedStep">The step that failed; null where nobody knows.</param>
/// <param name="Error">The type of the exception with which it failed, without its message, which may hold what is not for everybody; null where there was none.</param>
/// <param name="Compensated">The steps that were undone, in the order in which they were.</param>
/// <param name="Skipped">The steps that people decided to go on without, or without undoing them.</param>
[EventName("saga.failed")]
public sealed record SagaFailed(string SagaId, string Saga, string Status, string? FailedStep, string? Error, IReadOnlyList<string> Compensated, IReadOnlyList<string> Skipped);
