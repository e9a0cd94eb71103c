using System.Security.Cryptography;
using EventBus.Conformance;

namespace EventBus.InMemory.Tests;

public sealed class ConformanceTests
{
    private static readonly InMemoryBackend Backend = new();

    public static TheoryData<string> Names => [.. ConformanceSuite.Scenarios.Select(scenario => scenario.Name)];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Scenario_InMemory_PassesOrSaysWhyNot(string name)
    {
        var scenario = ConformanceSuite.Scenarios.Single(scenario => scenario.Name == name);

        var result = await ConformanceSuite.RunAsync(scenario, Backend, Token);

        Assert.SkipUnless(result.Passed, result.SkipReason ?? "");
    }

    [Fact]
    public async Task Suite_ManyTimesAtOnceUnderLoad_Passes()
    {
        const int AtOnce = 20;
        var rounds = Environment.GetEnvironmentVariable("EVENTBUS_TEST_LONG") == "1" ? 5 : 1;
        using var enough = new CancellationTokenSource();
        var load = Task.WhenAll(Enumerable.Range(0, Environment.ProcessorCount).Select(_ => Task.Run(() => Burn(enough.Token), Token)));
        var ran = 0;
        try
        {
            for (var round = 0; round < rounds; round++)
            {
                ran += (await Task.WhenAll(Enumerable.Range(0, AtOnce)
                    .SelectMany(_ => ConformanceSuite.Scenarios)
                    .Select(scenario => ConformanceSuite.RunAsync(scenario, Backend, Token)))).Length;
            }
        }
        finally
        {
            await enough.CancelAsync();
            await load;
        }

        Assert.Equal(rounds * AtOnce * ConformanceSuite.Scenarios.Count, ran);
    }

    [Fact]
    public Task Guarantees_ColumnInMemory_IsWhatTheSuiteSays() => Guarantees.CompareAsync(
        Backend,
        ConformanceSuite.Scenarios.Select(scenario => ConformanceSuite.RunAsync(scenario, Backend, Token)),
        Token);

    /// <summary>Keeps a processor busy in small bites, as other work of a process would.</summary>
    private static void Burn(CancellationToken enough)
    {
        Span<byte> block = stackalloc byte[SHA256.HashSizeInBytes];
        while (!enough.IsCancellationRequested)
        {
            for (var i = 0; i < 1_000; i++)
            {
                SHA256.HashData(block, block);
            }

            Thread.Yield();
        }
    }
}
