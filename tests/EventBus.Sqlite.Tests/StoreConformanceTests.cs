using EventBus.Conformance;

namespace EventBus.Sqlite.Tests;

public sealed class StoreConformanceTests(SqliteStoreBackend backend) : IClassFixture<SqliteStoreBackend>
{
    public static TheoryData<string> Names => [.. StoreSuite.Scenarios.Select(scenario => scenario.Name)];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Scenario_SqliteStores_PassesOrSaysWhyNot(string name)
    {
        var result = await StoreSuite.RunAsync(StoreSuite.Scenarios.Single(scenario => scenario.Name == name), backend, Token);

        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }

    [Fact]
    public Task Guarantees_StoresColumnSqlite_IsWhatTheSuiteSays() =>
        Guarantees.CompareAsync(backend, StoreSuite.Scenarios.Select(scenario => StoreSuite.RunAsync(scenario, backend, Token)), Token);
}
