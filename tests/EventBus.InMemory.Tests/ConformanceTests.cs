using EventBus.Conformance;

namespace EventBus.InMemory.Tests;

public sealed class ConformanceTests(InMemoryBackend backend) : BackendSuiteTests(backend), IClassFixture<InMemoryBackend>;
