using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>A clock that a test advances, and that signals each new wait.</summary>
internal sealed class SteppingTime : FakeTimeProvider
{
    private readonly Channel<TimeSpan> waits = Channel.CreateUnbounded<TimeSpan>();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        waits.Writer.TryWrite(dueTime);
        return timer;
    }

    /// <summary>Completes when the next wait has begun, with its length.</summary>
    public async Task<TimeSpan> NextWaitAsync()
    {
        try
        {
            return await waits.Reader.ReadAsync().AsTask().WaitAsync(RunningBus.Patience);
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"No wait began within {RunningBus.Patience}.", exception);
        }
    }
}
