using System.Security.Cryptography;
using EventBus.Conformance;

namespace EventBus.InMemory.Tests;

/// <summary>Tests the suites themselves.</summary>
public sealed class SuiteTests
{
    private static readonly InMemoryBackend Backend = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Suite_ManyTimesAtOnceUnderLoad_Passes()
    {
        const int AtOnce = 20;
        var rounds = Environment.GetEnvironmentVariable("EVENTBUS_TEST_LONG") == "1" ? 5 : 1;
        using var stopping = new CancellationTokenSource();
        var load = Task.WhenAll(Enumerable.Range(0, Environment.ProcessorCount).Select(_ => Task.Run(() => Burn(stopping.Token), Token)));
        var ran = 0;
        try
        {
            for (var round = 0; round < rounds; round++)
            {
                ran += (await Task.WhenAll(Enumerable.Range(0, AtOnce)
                    .SelectMany(_ => ConformanceSuite.Scenarios)
                    .Select(scenario => ConformanceSuite.RunAsync(scenario.Name, Backend, Token)))).Length;
            }
        }
        finally
        {
            await stopping.CancelAsync();
            await load;
        }

        Assert.Equal(rounds * AtOnce * ConformanceSuite.Scenarios.Count, ran);
    }

    [Fact]
    public async Task Run_ScenarioOfATransport_IsRefusedForStores() =>
        Assert.Contains(
            "ConformanceSuite",
            (await Assert.ThrowsAsync<ArgumentException>(
                () => StoreSuite.RunAsync("publish-subscribe", new InMemoryStoreBackend(), Token))).Message,
            StringComparison.Ordinal);

    /// <summary>Keeps a processor busy in short intervals, as other work of a process would.</summary>
    private static void Burn(CancellationToken stopping)
    {
        Span<byte> block = stackalloc byte[SHA256.HashSizeInBytes];
        while (!stopping.IsCancellationRequested)
        {
            for (var i = 0; i < 1_000; i++)
            {
                SHA256.HashData(block, block);
            }

            Thread.Yield();
        }
    }
}
