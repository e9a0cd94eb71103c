namespace EventBus.RabbitMq.Tests;

/// <summary>RabbitMQ with classic queues.</summary>
public sealed class ClassicBackend(PrivateBroker broker) : RabbitMqBackend("RabbitMQ classic", RabbitMqQueueType.Classic, broker);
