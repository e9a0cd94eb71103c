namespace EventBus;

/// <summary>
/// Shows that a drain takes all slots, but not a slot that is only lent: the handler that lent it has not finished.
/// </summary>
public sealed class ConcurrencyLimiterTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task TakeAll_ASlotIsLent_WaitsUntilItsHolderHasFinished()
    {
        var (slots, other) = (new ConcurrencyLimiter(1), new TaskCompletionSource());
        await slots.TakeAsync();
        var waiting = slots.WaitWithoutAsync(other.Task, CancellationToken.None);
        var all = slots.TakeAllAsync();
        Assert.False(all.IsCompleted);

        // The awaited work may need the slot.
        await slots.TakeAsync().WaitAsync(RunningBus.Patience, Token);
        slots.Release();
        other.SetResult();
        await waiting.WaitAsync(RunningBus.Patience, Token);
        Assert.False(all.IsCompleted);

        slots.Release();
        await all.WaitAsync(RunningBus.Patience, Token);
    }

    [Fact]
    public async Task TakeAll_ASlotIsLentWhileTheOthersAreTaken_ReleasesThemUntilItsHolderHasFinished()
    {
        var (slots, other) = (new ConcurrencyLimiter(2), new TaskCompletionSource());
        await slots.TakeAsync();
        await slots.TakeAsync();
        var all = slots.TakeAllAsync();
        var waiting = slots.WaitWithoutAsync(other.Task, CancellationToken.None);
        slots.Release();
        await slots.TakeAsync().WaitAsync(RunningBus.Patience, Token);
        slots.Release();
        Assert.False(all.IsCompleted);

        other.SetResult();
        await waiting.WaitAsync(RunningBus.Patience, Token);
        Assert.False(all.IsCompleted);
        slots.Release();
        await all.WaitAsync(RunningBus.Patience, Token);
    }
}
