using EventBus.Conformance;

namespace EventBus.RabbitMq.Tests;

[Collection(typeof(ConformanceBrokerCollection))]
public sealed class ClassicConformanceTests(ClassicBackend backend) : BackendSuiteTests(backend), IClassFixture<ClassicBackend>;
