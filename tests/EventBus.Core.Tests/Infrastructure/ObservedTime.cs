using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// A clock that signals each new wait, so that a test advances the time only when the tested loop waits.
/// </summary>
internal sealed class ObservedTime : FakeTimeProvider
{
    public SemaphoreSlim Waits { get; } = new(0);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        Waits.Release();
        return timer;
    }

    /// <summary>Advances the time for a loop, from one of its waits to the next.</summary>
    public async Task PassAsync(TimeSpan span)
    {
        var token = TestContext.Current.CancellationToken;
        Assert.True(await Waits.WaitAsync(RunningBus.Patience, token), "The loop does not wait.");
        Advance(span);
        Assert.True(await Waits.WaitAsync(RunningBus.Patience, token), "The loop does not wait again.");
        Waits.Release();
    }
}
