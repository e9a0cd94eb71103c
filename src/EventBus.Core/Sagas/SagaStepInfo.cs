namespace EventBus;

/// <summary>Describes a step of a saga that has begun.</summary>
/// <param name="Name">The step's name.</param>
/// <param name="Status">The status.</param>
/// <param name="Failures">
/// The number of failed attempts of its current operation, since the operation began or an operator retried it.
/// </param>
/// <param name="Interruptions">The number of attempts that ended with their process.</param>
/// <param name="Error">Its last error in one line; null for none.</param>
public sealed record SagaStepInfo(string Name, SagaStepStatus Status, int Failures, int Interruptions, string? Error);
