namespace EventBus;

/// <summary>A failed attempt to handle an event.</summary>
/// <param name="Attempt">The number of the attempt, from 1.</param>
/// <param name="At">The time of the failure.</param>
/// <param name="Error">The error in one line.</param>
public sealed record FailedAttempt(int Attempt, DateTimeOffset At, string Error);
