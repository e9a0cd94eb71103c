namespace EventBus;

/// <summary>Decides whether and when a failed event is retried. Immutable.</summary>
internal sealed class RetryPolicy(RetryOptions options, IReadOnlyList<Func<Exception, bool>> isPermanent, RandomSource entropy)
{
    private readonly int count = options.Count;
    private readonly TimeSpan firstDelay = options.FirstDelay;
    private readonly TimeSpan maxDelay = options.MaxDelay;
    private readonly IReadOnlyList<TimeSpan>? delays = options.Delays;
    private readonly double jitter = options.Jitter;

    /// <summary>True if another attempt follows after the given number of attempts.</summary>
    public bool Allows(int starts) => starts <= count;

    /// <summary>True if the exception, or the only inner exception of an aggregate, was declared permanent.</summary>
    public bool IsPermanent(Exception exception) => Unwrap(exception).Any(each => isPermanent.Any(test => test(each)));

    /// <summary>Returns the exception and, for aggregates with one inner exception, that exception.</summary>
    public static IEnumerable<Exception> Unwrap(Exception exception)
    {
        yield return exception;
        while (exception is AggregateException { InnerExceptions: [var only] })
        {
            yield return exception = only;
        }
    }

    /// <summary>
    /// Gets the delay after the given number of attempts. From the list of delays, whose last entry is used for all
    /// further attempts; otherwise 1, 6, 24, 96 ... times the first delay, up to the maximum delay. Jitter is applied.
    /// </summary>
    public TimeSpan DelayAfter(int starts)
    {
        var factor = starts <= 1 ? 1 : 6 * Math.Pow(4, Math.Min(starts - 2, 30));
        var delay = delays is { Count: > 0 }
            ? delays[Math.Clamp(starts, 1, delays.Count) - 1].TotalSeconds
            : Math.Min(firstDelay.TotalSeconds * factor, maxDelay.TotalSeconds);
        return TimeSpan.FromSeconds(delay * (1 + (jitter * ((2 * entropy.NextDouble()) - 1))));
    }
}
