namespace EventBus;

/// <summary>When a failed event is started again. Immutable.</summary>
internal sealed class RetryPolicy(RetryOptions options, IReadOnlyList<Func<Exception, bool>> isPermanent, RandomSource entropy)
{
    private readonly int count = options.Count;
    private readonly TimeSpan firstDelay = options.FirstDelay;
    private readonly TimeSpan maxDelay = options.MaxDelay;
    private readonly IReadOnlyList<TimeSpan>? delays = options.Delays;
    private readonly double jitter = options.Jitter;

    /// <summary>Whether a further start follows the given number of starts.</summary>
    public bool Allows(int starts) => starts <= count;

    /// <summary>Whether an exception, or what an aggregate of a single one wraps, was declared permanent.</summary>
    public bool IsPermanent(Exception exception) => Unwrap(exception).Any(each => isPermanent.Any(test => test(each)));

    /// <summary>The exception, and what aggregates of a single one wrap.</summary>
    public static IEnumerable<Exception> Unwrap(Exception exception)
    {
        yield return exception;
        while (exception is AggregateException { InnerExceptions: [var only] })
        {
            yield return exception = only;
        }
    }

    /// <summary>The wait after the given number of starts: as listed, the last for all that follow; or 1, 6, 24, 96 ... times the first delay, at most the longest. Spread by the jitter.</summary>
    public TimeSpan DelayAfter(int starts)
    {
        var factor = starts <= 1 ? 1 : 6 * Math.Pow(4, Math.Min(starts - 2, 30));
        var delay = delays is { Count: > 0 }
            ? delays[Math.Clamp(starts, 1, delays.Count) - 1].TotalSeconds
            : Math.Min(firstDelay.TotalSeconds * factor, maxDelay.TotalSeconds);
        return TimeSpan.FromSeconds(delay * (1 + (jitter * ((2 * entropy.NextDouble()) - 1))));
    }
}
