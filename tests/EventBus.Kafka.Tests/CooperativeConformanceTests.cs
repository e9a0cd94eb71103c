using EventBus.Conformance;

namespace EventBus.Kafka.Tests;

[NeedsBroker, Collection(typeof(ConformanceBrokerCollection))]
public sealed class CooperativeConformanceTests(CooperativeBackend backend) : BackendSuiteTests(backend), IClassFixture<CooperativeBackend>;
