namespace EventBus.RabbitMq.Tests;

internal sealed record TestHappened(int Number);
