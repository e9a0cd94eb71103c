namespace EventBus.Benchmarks;

internal sealed record IdleState(int Number);
