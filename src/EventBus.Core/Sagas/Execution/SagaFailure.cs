namespace EventBus;

/// <summary>Describes a failed attempt of a step.</summary>
/// <param name="Error">The error.</param>
/// <param name="Attempts">The number of attempts so far, for the log.</param>
/// <param name="Kind">The kind of failure.</param>
internal sealed record SagaFailure(Exception Error, int Attempts, SagaFailureKind Kind);
