using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Decides whether and when a failed event is retried. Immutable.</summary>
internal sealed class RetryPolicy(
    RetrySettings settings,
    IReadOnlyList<Func<Exception, bool>> isPermanent,
    RandomSource random,
    ILogger log)
{
    // The largest exponent of the backoff factor, because there are at most 100 retries.
    private const int MaxExponent = 100;

    /// <summary>True if another attempt follows after the given number of attempts.</summary>
    public bool Allows(int attempts) => attempts <= settings.MaxRetryAttempts;

    /// <summary>
    /// True if the exception, or the only inner exception of an aggregate, was declared permanent. A predicate that
    /// throws does not match, and its exception is logged.
    /// </summary>
    public bool IsPermanent(Exception exception) =>
        Unwrap(exception).Any(unwrapped => isPermanent.Any(predicate => Matches(predicate, unwrapped)));

    /// <summary>Returns the exception and, for aggregates with one inner exception, that exception.</summary>
    public static IEnumerable<Exception> Unwrap(Exception exception)
    {
        yield return exception;
        while (exception is AggregateException { InnerExceptions: [var inner] })
        {
            exception = inner;
            yield return exception;
        }
    }

    /// <summary>
    /// Gets the delay after the given number of attempts, with jitter. If there is a list of delays, takes the delay
    /// from it, and the last one for all further attempts. Otherwise multiplies the first delay by the factor for each
    /// further attempt, up to the maximum delay.
    /// </summary>
    public TimeSpan DelayAfter(int attempts)
    {
        double seconds;
        if (settings.Delays is { Count: > 0 } delays)
        {
            seconds = delays[Math.Clamp(attempts, 1, delays.Count) - 1].TotalSeconds;
        }
        else
        {
            var exponent = Math.Clamp(attempts - 1, 0, MaxExponent);
            seconds = Math.Min(
                settings.Delay.TotalSeconds * Math.Pow(settings.BackoffFactor, exponent),
                settings.MaxDelay.TotalSeconds);
        }

        // From -1 to 1.
        var deviation = (2 * random.NextDouble()) - 1;
        return TimeSpan.FromSeconds(seconds * (1 + (settings.Jitter * deviation)));
    }

    private bool Matches(Func<Exception, bool> predicate, Exception exception)
    {
        try
        {
            return predicate(exception);
        }
        catch (Exception error)
        {
            log.DeadLetterPredicateFailed(exception.GetType(), error);
            return false;
        }
    }
}
