namespace EventBus.RabbitMq.Tests;

[EventName("big.happened")]
internal sealed record Big(string Text);
