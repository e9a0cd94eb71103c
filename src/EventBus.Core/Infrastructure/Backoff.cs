namespace EventBus;

/// <summary>
/// Computes the delays between the attempts of an operation: the first delay, doubled with each further failure up to
/// the longest delay. Thread-safe.
/// </summary>
/// <param name="First">The delay after the first failure.</param>
/// <param name="Longest">The upper limit of the delay.</param>
internal readonly record struct Backoff(TimeSpan First, TimeSpan Longest)
{
    // After 40 doublings every first delay is longer than every longest delay. The limit prevents an overflow.
    private const int MaxDoublings = 40;

    /// <summary>
    /// The random source of the jitter, with which a delay is 50 to 100 % of its full length. Null for no jitter.
    /// </summary>
    public RandomSource? Jitter { get; init; }

    /// <summary>Gets the delay after a number of consecutive failures.</summary>
    /// <param name="failures">The number of failures; at least 1.</param>
    public TimeSpan After(int failures)
    {
        var doublings = Math.Clamp(failures - 1, 0, MaxDoublings);
        var ticks = Math.Min(First.Ticks * Math.Pow(2, doublings), Longest.Ticks);
        if (Jitter is not null)
        {
            ticks *= 0.5 + (Jitter.NextDouble() / 2);
        }

        return TimeSpan.FromTicks((long)ticks);
    }
}
