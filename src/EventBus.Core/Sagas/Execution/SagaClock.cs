using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Detects jumps of the wall clock and decides when a wait for a reply may time out. After a start or a jump the
/// timeout is delayed, because the reply may still be in a queue.
/// </summary>
internal sealed class SagaClock(TimeProvider time, RandomSource random, ILogger log)
{
    // The time after a start, or after a jump of the clock, in which no wait times out: expected replies may be in
    // transit. The order guards use the same time.
    private static readonly TimeSpan ExtraWait = TimeSpan.FromMinutes(1);

    // Smaller adjustments of clocks are normal.
    private static readonly TimeSpan Jump = TimeSpan.FromSeconds(5);

    private readonly long startedAt = time.GetTimestamp();
    private readonly DateTimeOffset startedOn = time.GetUtcNow();
    private readonly Lock gate = new();
    private TimeSpan drift;
    private DateTimeOffset? disturbedOn;

    /// <summary>Compares the wall clock with the monotonic clock.</summary>
    public void Look()
    {
        lock (gate)
        {
            var now = time.GetUtcNow();
            var seen = now - startedOn - time.GetElapsedTime(startedAt);
            if ((seen - drift).Duration() > Jump)
            {
                log.ClockJumped(seen - drift, ExtraWait);
                (drift, disturbedOn) = (seen, now);
            }
        }
    }

    /// <summary>
    /// Returns the earliest time at which an overdue wait may time out; null for now. A random part spreads the
    /// timeouts of many overdue waits.
    /// </summary>
    public DateTimeOffset? NotBefore(DateTimeOffset waitsSince)
    {
        lock (gate)
        {
            var disturbed = disturbedOn ?? startedOn;
            return waitsSince >= disturbed || time.GetUtcNow() >= disturbed + ExtraWait
                ? null
                : disturbed + (ExtraWait * (1 + (random.NextDouble() / 10)));
        }
    }
}
