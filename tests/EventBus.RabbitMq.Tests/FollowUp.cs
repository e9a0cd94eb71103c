namespace EventBus.RabbitMq.Tests;

[EventName("test.followed")]
internal sealed record FollowUp(int Number);
