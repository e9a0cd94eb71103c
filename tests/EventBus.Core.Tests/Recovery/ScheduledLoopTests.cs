using Microsoft.Extensions.Time.Testing;

namespace EventBus;

public sealed class ScheduledLoopTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Wait_ClockChangesWhileTheTimerIsSet_EndsWhenItIsDue()
    {
        var time = new AdvancingClock { AdvanceBeforeTimer = TimeSpan.FromSeconds(5) };
        var due = time.GetUtcNow() + TimeSpan.FromSeconds(30);
        var (waits, ran) = (new SemaphoreSlim(0), new TaskCompletionSource());
        time.TimerSet = () => waits.Release();
        var loop = new ScheduledLoop(
            "test",
            _ =>
            {
                if (time.GetUtcNow() < due)
                {
                    return Task.FromResult<DateTimeOffset?>(due);
                }

                ran.TrySetResult();
                return Task.FromResult<DateTimeOffset?>(null);
            },
            Timeout.InfiniteTimeSpan,
            new WakeSignal(),
            TestServices.Create(time));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var running = loop.RunAsync(stop.Token);

        // The timer that was too late, and the next one.
        Assert.True(await waits.WaitAsync(RunningBus.Patience, Token));
        Assert.True(await waits.WaitAsync(RunningBus.Patience, Token));
        time.Advance(TimeSpan.FromSeconds(25));

        await ran.Task.WaitAsync(RunningBus.Patience, Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    /// <summary>A clock that advances just before the first timer is set.</summary>
    private sealed class AdvancingClock : FakeTimeProvider
    {
        public TimeSpan AdvanceBeforeTimer { get; set; }

        public Action TimerSet { get; set; } = () => { };

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var step = AdvanceBeforeTimer;
            AdvanceBeforeTimer = TimeSpan.Zero;
            Advance(step);
            var timer = base.CreateTimer(callback, state, dueTime, period);
            TimerSet();
            return timer;
        }
    }
}
