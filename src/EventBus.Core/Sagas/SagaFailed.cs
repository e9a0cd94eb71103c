namespace EventBus;

/// <summary>Reports that a saga has failed and ended: everything was compensated, or an operator finished it.</summary>
/// <param name="SagaId">The saga's id.</param>
/// <param name="Saga">The name under which the saga is registered.</param>
/// <param name="Status">The final status: <c>compensated</c>, or <c>finished</c> by an operator.</param>
/// <param name="FailedStep">The step that failed; null if unknown.</param>
/// <param name="Error">
/// The type of the exception that the step failed with; null if there was none. The message is left out because it may
/// be confidential.
/// </param>
/// <param name="Compensated">The compensated steps, in the order of their compensation.</param>
/// <param name="Skipped">The steps whose execution or compensation an operator skipped.</param>
[EventName("saga.failed")]
public sealed record SagaFailed(
    string SagaId,
    string Saga,
    string Status,
    string? FailedStep,
    string? Error,
    IReadOnlyList<string> Compensated,
    IReadOnlyList<string> Skipped);
