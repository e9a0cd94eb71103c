namespace EventBus;

/// <summary>The conditions under which the circuit breaker pauses a subscription.</summary>
/// <param name="Failures">The number of consecutive attempts that must fail.</param>
/// <param name="Window">The time within which they must fail.</param>
internal sealed record CircuitBreakerSettings(int Failures, TimeSpan Window);
