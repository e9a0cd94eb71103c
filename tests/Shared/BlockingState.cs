namespace EventBus;

internal sealed record BlockingState(string Name);
