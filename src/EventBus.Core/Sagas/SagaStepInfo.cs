namespace EventBus;

/// <summary>Describes a step that a saga has begun.</summary>
/// <param name="Name">The step's name.</param>
/// <param name="Status">The status.</param>
/// <param name="Failures">
/// The number of failed attempts of the current operation (the execution of the step, the processing of its reply, or
/// its compensation), since that operation began or an operator retried it.
/// </param>
/// <param name="Interruptions">The number of attempts of that operation that ended with their process.</param>
/// <param name="Error">The step's last error in one line; null for none.</param>
public sealed record SagaStepInfo(string Name, SagaStepStatus Status, int Failures, int Interruptions, string? Error);
