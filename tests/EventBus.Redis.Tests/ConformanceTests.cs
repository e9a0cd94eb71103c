using EventBus.Conformance;

namespace EventBus.Redis.Tests;

public sealed class ConformanceTests(RedisBackend backend) : BackendSuiteTests(backend), IClassFixture<RedisBackend>;
