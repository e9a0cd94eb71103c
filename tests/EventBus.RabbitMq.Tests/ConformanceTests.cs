using EventBus.Conformance;

namespace EventBus.RabbitMq.Tests;

[Collection(typeof(PrivateBrokerCollection))]
public sealed class QuorumConformanceTests(QuorumBackend backend) : BackendSuiteTests(backend), IClassFixture<QuorumBackend>;

[Collection(typeof(PrivateBrokerCollection))]
public sealed class ClassicConformanceTests(ClassicBackend backend) : BackendSuiteTests(backend), IClassFixture<ClassicBackend>;
