using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Notices when the wall clock jumps, and says whether a wait for a reply may end: after a start or a jump, what is waited for may still be in a queue.</summary>
internal sealed class SagaClock(TimeProvider time, RandomSource entropy, ILogger log)
{
    // What is waited for when an instance starts, or when its clock was put forward, is probably on its way. The same time that order guards give.
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(1);

    // Clocks are adjusted by less all the time.
    private static readonly TimeSpan Jump = TimeSpan.FromSeconds(5);

    private readonly long startedAt = time.GetTimestamp();
    private readonly DateTimeOffset startedOn = time.GetUtcNow();
    private readonly Lock gate = new();
    private TimeSpan drift;
    private DateTimeOffset? disturbedOn;

    /// <summary>Compares the wall clock with the one that only counts.</summary>
    public void Look()
    {
        lock (gate)
        {
            var now = time.GetUtcNow();
            var seen = now - startedOn - time.GetElapsedTime(startedAt);
            if ((seen - drift).Duration() > Jump)
            {
                log.ClockJumped(seen - drift, Grace);
                (drift, disturbedOn) = (seen, now);
            }
        }
    }

    /// <summary>When a wait that is over may be ended: null for now. Many that are over at once are spread.</summary>
    public DateTimeOffset? NotBefore(DateTimeOffset waitsSince)
    {
        lock (gate)
        {
            var disturbed = disturbedOn ?? startedOn;
            return waitsSince >= disturbed || time.GetUtcNow() >= disturbed + Grace ? null : disturbed + (Grace * (1 + (entropy.NextDouble() / 10)));
        }
    }
}
