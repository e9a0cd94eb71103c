namespace EventBus;

internal sealed record BlockingCalled(int Number);
