using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>A wall clock that can be set, and a monotonic time for timers and timestamps.</summary>
internal sealed class SetBackTime : TimeProvider
{
    private readonly FakeTimeProvider time = new();
    private long offset;

    public override DateTimeOffset GetUtcNow() => time.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref offset));

    public override long TimestampFrequency => time.TimestampFrequency;

    public override long GetTimestamp() => time.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        time.CreateTimer(callback, state, dueTime, period);

    /// <summary>Moves the wall clock by a span; the monotonic time does not advance.</summary>
    public void Set(TimeSpan span) => Interlocked.Add(ref offset, span.Ticks);

    /// <summary>Advances the time in one step.</summary>
    public void Advance(TimeSpan span) => time.Advance(span);

    /// <summary>Advances the time in small steps, so that waits that begin in between also end.</summary>
    public async Task PassAsync(RunningBus running, TimeSpan span)
    {
        for (var passed = TimeSpan.Zero; passed < span; passed += TimeSpan.FromSeconds(1))
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await running.WhenIdleAsync();
        }
    }
}
