using EventBus.Conformance;

namespace EventBus.InMemory.Tests;

public sealed class StoreConformanceTests(InMemoryStoreBackend backend) : StoreSuiteTests(backend), IClassFixture<InMemoryStoreBackend>;
