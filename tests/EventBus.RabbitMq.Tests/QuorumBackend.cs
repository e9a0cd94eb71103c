using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>Quorum queues, the default.</summary>
public sealed class QuorumBackend(PrivateBroker broker) : RabbitMqBackend("RabbitMQ quorum", RabbitMqQueueType.Quorum, broker);
