using EventBus.Conformance;

namespace EventBus.RabbitMq.Tests;

[Collection(typeof(ConformanceBrokerCollection))]
public sealed class QuorumConformanceTests(QuorumBackend backend) : BackendSuiteTests(backend), IClassFixture<QuorumBackend>;
