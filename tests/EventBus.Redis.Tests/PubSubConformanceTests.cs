using EventBus.Conformance;

namespace EventBus.Redis.Tests;

public sealed class PubSubConformanceTests(RedisPubSubBackend backend) : BackendSuiteTests(backend), IClassFixture<RedisPubSubBackend>;
