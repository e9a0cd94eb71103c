namespace EventBus;

/// <summary>The effective settings of one subscription.</summary>
/// <param name="Concurrency">The number of events that are handled concurrently.</param>
/// <param name="HandlerTimeout">The time after which an attempt counts as failed.</param>
/// <param name="Retry">The retries of failed events.</param>
/// <param name="CircuitBreaker">
/// The conditions of a pause after failures; null if failures never pause the subscription.
/// </param>
internal sealed record SubscriptionSettings(
    int Concurrency,
    TimeSpan HandlerTimeout,
    RetrySettings Retry,
    CircuitBreakerSettings? CircuitBreaker)
{
    /// <summary>
    /// Merges the options of one subscription. Options that are set by the name of the subscription, usually in
    /// configuration, take precedence over the options that are set in code, and these over the options of the bus.
    /// </summary>
    public static SubscriptionSettings Merge(EventBusOptions bus, SubscriptionRegistration subscription)
    {
        var byName = bus.Subscriptions.TryGetValue(subscription.Name, out var found) ? found : null;
        var own = subscription.Options;
        var failures = byName?.CircuitBreakerFailures ?? own.CircuitBreakerFailures ?? bus.CircuitBreakerFailures;
        return new SubscriptionSettings(
            byName?.Concurrency ?? own.Concurrency ?? bus.Concurrency,
            byName?.HandlerTimeout ?? own.HandlerTimeout ?? bus.HandlerTimeout,
            RetrySettings.Merge(byName?.Retry, own.Retry, bus.Retry),
            failures > 0
                ? new CircuitBreakerSettings(failures, byName?.CircuitBreakerWindow ?? own.CircuitBreakerWindow ?? bus.CircuitBreakerWindow)
                : null);
    }
}
