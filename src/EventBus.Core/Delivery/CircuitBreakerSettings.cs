namespace EventBus;

/// <summary>When to pause: after this many failed starts in a row, within this time.</summary>
internal sealed record CircuitBreakerSettings(int Count, TimeSpan Time);
