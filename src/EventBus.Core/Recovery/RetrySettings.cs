namespace EventBus;

/// <summary>The effective retry options of a subscription, a saga step or the bus.</summary>
internal sealed record RetrySettings(int MaxRetryAttempts, TimeSpan Delay, double BackoffFactor, TimeSpan MaxDelay, double Jitter)
{
    /// <summary>The delays as a list; null if they follow from the first delay and the factor.</summary>
    public IReadOnlyList<TimeSpan>? Delays { get; init; }

    /// <summary>Merges options: each value comes from the first level that sets it.</summary>
    /// <param name="levels">The levels, the most specific one first.</param>
    public static RetrySettings Merge(params RetryOptions?[] levels)
    {
        RetryOptions[] set = [.. levels.OfType<RetryOptions>()];
        return new RetrySettings(
            set.Select(level => level.Delays?.Count ?? level.MaxRetryAttempts).FirstOrDefault(value => value is not null) ?? 3,
            set.Select(level => level.Delay).FirstOrDefault(value => value is not null) ?? TimeSpan.FromSeconds(5),
            set.Select(level => level.BackoffFactor).FirstOrDefault(value => value is not null) ?? 5,
            set.Select(level => level.MaxDelay).FirstOrDefault(value => value is not null) ?? TimeSpan.FromHours(1),
            set.Select(level => level.Jitter).FirstOrDefault(value => value is not null) ?? 0.2)
        {
            // A level that sets the first delay or the factor overrides the list of a less specific level.
            Delays = set.FirstOrDefault(level => level is not { Delays: null, Delay: null, BackoffFactor: null })?.Delays?.ToArray(),
        };
    }
}
