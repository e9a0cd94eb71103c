using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>Classic queues.</summary>
public sealed class ClassicBackend(PrivateBroker broker) : RabbitMqBackend("RabbitMQ classic", RabbitMqQueueType.Classic, broker);
