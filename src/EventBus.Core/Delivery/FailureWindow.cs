namespace EventBus;

/// <summary>
/// Remembers the last consecutive failures of a subscription, and determines whether enough of them happened within the
/// window of the settings. The caller holds a lock, except to read <see cref="IsEmpty"/>.
/// </summary>
internal sealed class FailureWindow(CircuitBreakerSettings settings, TimeProvider time)
{
    // The timestamps of the last consecutive failures, as a circular buffer.
    private readonly long[] failedAt = new long[settings.Failures];
    private long consecutiveFailures;

    /// <summary>True if there was no failure since the last success.</summary>
    public bool IsEmpty => Volatile.Read(ref consecutiveFailures) == 0;

    /// <summary>Adds a failure.</summary>
    /// <returns>
    /// True if it is the last of <see cref="CircuitBreakerSettings.Failures"/> consecutive failures within
    /// <see cref="CircuitBreakerSettings.Window"/>.
    /// </returns>
    public bool Add()
    {
        var now = time.GetTimestamp();
        failedAt[consecutiveFailures % failedAt.Length] = now;
        consecutiveFailures++;

        // The next place of the circular buffer holds the oldest failure.
        var oldest = failedAt[consecutiveFailures % failedAt.Length];
        return consecutiveFailures >= failedAt.Length && time.GetElapsedTime(oldest, now) <= settings.Window;
    }

    /// <summary>Forgets all failures, because an attempt succeeded.</summary>
    public void Reset() => consecutiveFailures = 0;
}
