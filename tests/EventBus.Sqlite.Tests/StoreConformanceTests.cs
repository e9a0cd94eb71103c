using EventBus.Conformance;

namespace EventBus.Sqlite.Tests;

public sealed class StoreConformanceTests(SqliteStoreBackend backend) : StoreSuiteTests(backend), IClassFixture<SqliteStoreBackend>;
