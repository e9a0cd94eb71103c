namespace EventBus;

/// <summary>
/// The conditions under which the circuit breaker pauses a subscription: a number of failed attempts in a row, within a
/// time.
/// </summary>
internal sealed record CircuitBreakerSettings(int Count, TimeSpan Time);
