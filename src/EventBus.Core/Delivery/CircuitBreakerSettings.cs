namespace EventBus;

/// <summary>The conditions of a pause: this number of failed attempts in a row, within this time.</summary>
internal sealed record CircuitBreakerSettings(int Count, TimeSpan Time);
