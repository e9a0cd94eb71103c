namespace EventBus;

public sealed class WakeSignalTests
{
    private readonly WakeSignal signal = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Wait_PulsedBefore_EndsAtOnce()
    {
        signal.Pulse();

        await signal.WaitAsync(Token).WaitAsync(RunningBus.Patience, Token);

        Assert.True(signal.FirstPulse.IsCompleted);
    }

    [Fact]
    public async Task Wait_PulsedTwiceBefore_EndsOnce()
    {
        signal.Pulse();
        signal.Pulse();
        await signal.WaitAsync(Token).WaitAsync(RunningBus.Patience, Token);

        var second = signal.WaitAsync(Token);
        Assert.False(second.IsCompleted);

        signal.Pulse();
        await second.WaitAsync(RunningBus.Patience, Token);
    }

    [Fact]
    public async Task Wait_Cancelled_Throws()
    {
        using var stop = new CancellationTokenSource();
        var waiting = signal.WaitAsync(stop.Token);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Assert.False(signal.FirstPulse.IsCompleted);
    }
}
