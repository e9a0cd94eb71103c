using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>A clock that can be set, and a separate time that only counts, for timers and timestamps.</summary>
internal sealed class SetBackTime : TimeProvider
{
    private readonly FakeTimeProvider time = new();
    private long offset;

    public override DateTimeOffset GetUtcNow() => time.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref offset));

    public override long TimestampFrequency => time.TimestampFrequency;

    public override long GetTimestamp() => time.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        time.CreateTimer(callback, state, dueTime, period);

    /// <summary>Sets the clock by a span, without a moment passing.</summary>
    public void Set(TimeSpan span) => Interlocked.Add(ref offset, span.Ticks);

    /// <summary>Lets time pass at once.</summary>
    public void Advance(TimeSpan span) => time.Advance(span);

    /// <summary>Lets time pass, in small steps, so that what comes to wait meanwhile is woken too.</summary>
    public async Task PassAsync(RunningBus running, TimeSpan span)
    {
        for (var passed = TimeSpan.Zero; passed < span; passed += TimeSpan.FromSeconds(1))
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await running.WhenIdleAsync();
        }
    }
}
