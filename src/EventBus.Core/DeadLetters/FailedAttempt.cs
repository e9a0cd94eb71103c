namespace EventBus;

/// <summary>One start of a handler that failed.</summary>
/// <param name="Start">Which start, 1 for the first.</param>
/// <param name="At">When it failed.</param>
/// <param name="Error">The error in one line.</param>
public sealed record FailedAttempt(int Start, DateTimeOffset At, string Error);
