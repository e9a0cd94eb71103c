namespace EventBus.RabbitMq.Tests;

[EventName("test.unheard")]
internal sealed record Unheard;
