using EventBus.Conformance;

namespace EventBus.Redis.Tests;

public sealed class StoreConformanceTests(RedisStoreBackend backend) : StoreSuiteTests(backend), IClassFixture<RedisStoreBackend>;
