namespace EventBus;

/// <summary>
/// Computes the delays before a failed activity starts again. They grow with each failure. After 3 seconds of work or
/// a completed unit of work they are short again. Only <see cref="Failures"/> is thread-safe.
/// </summary>
internal sealed class RestartBackoff(TimeProvider time)
{
    // The duration of work after which the backoff begins again.
    private static readonly TimeSpan StableAfter = TimeSpan.FromSeconds(3);

    private readonly RandomSource jitter = new();
    private bool isWorking;
    private long workingSince;
    private volatile int failures;

    /// <summary>The number of failures since the backoff last began.</summary>
    public int Failures => failures;

    /// <summary>Reports that the activity works.</summary>
    public void Succeeded()
    {
        if (!isWorking)
        {
            isWorking = true;
            workingSince = time.GetTimestamp();
        }
    }

    /// <summary>Reports that the activity has completed a unit of work: the backoff begins again.</summary>
    public void Progressed() => failures = 0;

    /// <summary>Reports that the activity has failed.</summary>
    /// <param name="first">The delay after the first failure.</param>
    /// <param name="longest">The maximum delay.</param>
    /// <returns>The delay before the next start, shortened by a jitter of up to 50 %.</returns>
    public TimeSpan DelayAfterFailure(TimeSpan first, TimeSpan longest)
    {
        var wasStable = isWorking && time.GetElapsedTime(workingSince) >= StableAfter;
        failures = wasStable ? 1 : failures + 1;
        isWorking = false;
        return new Backoff(first, longest) { Jitter = jitter }.After(failures);
    }
}
