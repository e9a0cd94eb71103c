namespace EventBus.Kafka.Tests;

/// <summary>The event of the process that is killed.</summary>
[EventName("order.placed")]
internal sealed record CratePacked(int Number);
