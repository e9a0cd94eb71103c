using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Detects jumps of the wall clock and decides when a wait for a reply may time out. After a start or a jump the
/// timeout is delayed, because the reply may still be in a queue.
/// </summary>
internal sealed class SagaClock(TimeProvider time, RandomSource random, ILogger log)
{
    // The time after a start or a jump in which no wait times out. The order guards use the same time.
    private static readonly TimeSpan ExtraWait = TimeSpan.FromMinutes(1);

    // A difference of more than this is a jump. Smaller adjustments of clocks are normal.
    private static readonly TimeSpan MaxAdjustment = TimeSpan.FromSeconds(5);

    private readonly long startTimestamp = time.GetTimestamp();
    private readonly DateTimeOffset startTime = time.GetUtcNow();
    private readonly Lock gate = new();

    // The difference between the wall clock and the monotonic clock since the start, at the last jump.
    private TimeSpan drift;
    private DateTimeOffset? lastJump;

    /// <summary>Detects a jump of the wall clock since the last call, by the monotonic clock.</summary>
    public void DetectJump()
    {
        lock (gate)
        {
            var now = time.GetUtcNow();
            var currentDrift = now - startTime - time.GetElapsedTime(startTimestamp);
            var jump = currentDrift - drift;
            if (jump.Duration() > MaxAdjustment)
            {
                log.ClockJumped(jump, ExtraWait);
                drift = currentDrift;
                lastJump = now;
            }
        }
    }

    /// <summary>
    /// Returns the earliest time at which an overdue wait may time out; null if it may time out now. A random part of
    /// up to 10 % of the extra time spreads the timeouts of many overdue waits.
    /// </summary>
    /// <param name="waitsSince">The time at which the wait began.</param>
    public DateTimeOffset? NotBefore(DateTimeOffset waitsSince)
    {
        lock (gate)
        {
            var disturbance = lastJump ?? startTime;
            if (waitsSince >= disturbance || time.GetUtcNow() >= disturbance + ExtraWait)
            {
                return null;
            }

            return disturbance + (ExtraWait * (1 + (random.NextDouble() / 10)));
        }
    }
}
