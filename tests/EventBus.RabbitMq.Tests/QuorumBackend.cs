namespace EventBus.RabbitMq.Tests;

/// <summary>RabbitMQ with quorum queues, the default.</summary>
public sealed class QuorumBackend(PrivateBroker broker) : RabbitMqBackend("RabbitMQ quorum", RabbitMqQueueType.Quorum, broker);
