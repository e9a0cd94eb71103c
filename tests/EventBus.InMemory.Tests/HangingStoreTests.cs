using EventBus.Conformance;

namespace EventBus.InMemory.Tests;

/// <summary>Tests that the suite detects a write that does not end.</summary>
public sealed class HangingStoreTests
{
    [Fact]
    public async Task Run_WriteThatDoesNotEnd_BreaksTheGuarantee()
    {
        var broken = await Assert.ThrowsAsync<ConformanceException>(
            () => StoreSuite.RunAsync("store-down", new HangingStoreBackend(), TestContext.Current.CancellationToken));

        Assert.Contains("within 15 s", broken.Message, StringComparison.Ordinal);
    }
}
