namespace EventBus;

/// <summary>A failed attempt of a step.</summary>
/// <param name="Error">The error.</param>
/// <param name="Attempts">The number of attempts.</param>
/// <param name="Ending">The kind of failure.</param>
internal sealed record SagaFailure(Exception Error, int Attempts, SagaAttemptEnding Ending);
