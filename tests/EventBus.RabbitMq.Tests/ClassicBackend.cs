namespace EventBus.RabbitMq.Tests;

/// <summary>Classic queues.</summary>
public sealed class ClassicBackend(PrivateBroker broker) : RabbitMqBackend("RabbitMQ classic", RabbitMqQueueType.Classic, broker);
