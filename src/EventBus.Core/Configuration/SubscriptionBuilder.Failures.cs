namespace EventBus;

// The settings for events that fail: retries, permanent exceptions, the circuit breaker.
public sealed partial class SubscriptionBuilder
{
    /// <summary>
    /// Sets the number of retries of a failed event and the delays between them. Values that are not set here are taken
    /// from the bus.
    /// </summary>
    /// <param name="maxRetryAttempts">The number of retries after the first attempt, 0 to 100.</param>
    /// <param name="delay">
    /// The delay before the first retry, 0 to 1 day; each later one is longer by
    /// <see cref="RetryOptions.BackoffFactor"/>. Null leaves the delay unchanged. If it was never set, the delay of the
    /// bus applies.
    /// </param>
    public SubscriptionBuilder Retry(int maxRetryAttempts, TimeSpan? delay = null)
    {
        subscription.Options.Retry.Set(maxRetryAttempts, delay);
        return this;
    }

    /// <summary>
    /// Sets the delays before the retries of a failed event. There are as many retries as delays. The jitter of the bus
    /// applies to each delay.
    /// </summary>
    /// <param name="delays">The delays before the retries: 1 to 100 delays of 0 to 7 days each.</param>
    public SubscriptionBuilder Retry(params TimeSpan[] delays)
    {
        ArgumentNullException.ThrowIfNull(delays);
        subscription.Options.Retry.Delays = [.. delays];
        return this;
    }

    /// <summary>Sets the retries of a failed event. Values that are not set are taken from the bus.</summary>
    /// <param name="configure">Changes the options.</param>
    public SubscriptionBuilder Retry(Action<RetryOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        configure(subscription.Options.Retry);
        return this;
    }

    /// <summary>
    /// Declares an exception type permanent for this subscription: an event whose handler throws it becomes a dead
    /// letter without a retry.
    /// </summary>
    /// <typeparam name="TException">The exception type. Derived types are included.</typeparam>
    public SubscriptionBuilder DeadLetterOn<TException>()
        where TException : Exception
    {
        subscription.IsPermanent.Add(static exception => exception is TException);
        return this;
    }

    /// <summary>
    /// Declares some exceptions of a type permanent for this subscription: an event whose handler throws one becomes a
    /// dead letter without a retry.
    /// </summary>
    /// <param name="predicate">
    /// Returns true for the exceptions that are permanent. Called concurrently, and possibly more than once for an
    /// exception. If it throws, that is logged, and the exception is not permanent.
    /// </param>
    /// <typeparam name="TException">The exception type. Derived types are included.</typeparam>
    public SubscriptionBuilder DeadLetterOn<TException>(Func<TException, bool> predicate)
        where TException : Exception
    {
        ArgumentNullException.ThrowIfNull(predicate);
        subscription.IsPermanent.Add(exception => exception is TException typed && predicate(typed));
        return this;
    }

    /// <summary>
    /// Pauses the subscription when all attempts fail, for instance because a mail server is down. Without a circuit
    /// breaker, all events that arrive during such a failure become dead letters.
    /// </summary>
    /// <remarks>
    /// A paused subscription takes no events and starts no retries, and the health check reports degraded. The
    /// subscription probes with one event at a time. The first probe follows after <paramref name="within"/>, at most
    /// 30 s. Each further wait is twice as long, at most 5 min. Retries and new events take turns as probes. The first
    /// success ends the pause. A failure during the pause does not use up a retry of its event. Exceptions that are
    /// declared permanent make a dead letter as usual, and the circuit breaker ignores them. Each instance decides
    /// independently.
    /// </remarks>
    /// <param name="failures">
    /// The number of consecutive attempts that must fail, 1 to 1,000; 0 to never pause. Choose more than the attempts
    /// of one event (4 by default), so that a single bad event does not pause the subscription.
    /// </param>
    /// <param name="within">The time within which they must fail, 1 s to 1 day.</param>
    public SubscriptionBuilder CircuitBreaker(int failures, TimeSpan within)
    {
        subscription.Options.CircuitBreakerFailures = failures;
        subscription.Options.CircuitBreakerWindow = within;
        return this;
    }
}
