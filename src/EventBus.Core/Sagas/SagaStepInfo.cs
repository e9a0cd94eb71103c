namespace EventBus;

/// <summary>One step of a saga that was begun.</summary>
/// <param name="Name">The step's name.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="Failures">How many starts of what it is doing now have failed since it began, or since people had it retried.</param>
/// <param name="Interruptions">How many starts ended with their process.</param>
/// <param name="Error">Its last error in one line; null for none.</param>
public sealed record SagaStepInfo(string Name, SagaStepStatus Status, int Failures, int Interruptions, string? Error);
