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
        RetryOptions[] configured = [.. levels.OfType<RetryOptions>()];

        // A level that sets the first delay or the factor overrides the list of delays of a less specific level.
        var levelOfDelays = configured.FirstOrDefault(
            level => level.Delays is not null || level.Delay is not null || level.BackoffFactor is not null);

        // The length of a list of delays is the number of retries.
        return new RetrySettings(
            configured.Select(level => level.Delays?.Count ?? level.MaxRetryAttempts).FirstOrDefault(value => value is not null) ?? 3,
            configured.Select(level => level.Delay).FirstOrDefault(value => value is not null) ?? TimeSpan.FromSeconds(5),
            configured.Select(level => level.BackoffFactor).FirstOrDefault(value => value is not null) ?? 5,
            configured.Select(level => level.MaxDelay).FirstOrDefault(value => value is not null) ?? TimeSpan.FromHours(1),
            configured.Select(level => level.Jitter).FirstOrDefault(value => value is not null) ?? 0.2)
        {
            Delays = levelOfDelays?.Delays?.ToArray(),
        };
    }
}
