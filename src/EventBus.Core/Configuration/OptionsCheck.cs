namespace EventBus;

/// <summary>Checks that all settings are within their allowed ranges.</summary>
internal static class OptionsCheck
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(10);

    public static void Check(EventBusOptions options, List<string> problems)
    {
        Range(options.PublishTimeout, Shortest, TimeSpan.FromHours(1), $"{nameof(EventBusOptions)}.{nameof(options.PublishTimeout)}", problems);
        Range(options.DrainTimeout, TimeSpan.Zero, TimeSpan.FromHours(1), $"{nameof(EventBusOptions)}.{nameof(options.DrainTimeout)}", problems);
        Range(options.WarnBodyBytes, 1, int.MaxValue, $"{nameof(EventBusOptions)}.{nameof(options.WarnBodyBytes)}", problems);
        Range(options.MaxBodyBytes, 1, 64 * 1024 * 1024, $"{nameof(EventBusOptions)}.{nameof(options.MaxBodyBytes)}", problems);
        Range(options.MaxUnreadBodyBytes, 64 * 1024, 512 * 1024 * 1024, $"{nameof(EventBusOptions)}.{nameof(options.MaxUnreadBodyBytes)}", problems);
        Range(options.MaxUnreadBytes, 0, 1L << 40, $"{nameof(EventBusOptions)}.{nameof(options.MaxUnreadBytes)}", problems);
        Range(options.MaxDepth, 1, 1_000, $"{nameof(EventBusOptions)}.{nameof(options.MaxDepth)}", problems);
        Range(options.MaxParkedPerKey, 1, 1_000_000, $"{nameof(EventBusOptions)}.{nameof(options.MaxParkedPerKey)}", problems);
        Range(options.Lease, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), $"{nameof(EventBusOptions)}.{nameof(options.Lease)}", problems);
        Range(options.AlertInterval, TimeSpan.Zero, TimeSpan.FromHours(1), $"{nameof(EventBusOptions)}.{nameof(options.AlertInterval)}", problems);
        Range(options.DeadLetterRetention ?? TimeSpan.FromDays(1), TimeSpan.FromMinutes(1), TimeSpan.FromDays(3_653), $"{nameof(EventBusOptions)}.{nameof(options.DeadLetterRetention)}", problems);
        Range(options.Retry.MaxDelay, TimeSpan.Zero, TimeSpan.FromDays(7), $"{nameof(EventBusOptions)}.Retry.{nameof(RetryOptions.MaxDelay)}", problems);
        Range(options.Retry.Jitter, 0, 1, $"{nameof(EventBusOptions)}.Retry.{nameof(RetryOptions.Jitter)}", problems);
        Range(options.Sagas.Concurrency, 1, 10_000, $"{nameof(EventBusOptions)}.Sagas.{nameof(SagaOptions.Concurrency)}", problems);
        Range(options.Sagas.StepTimeout, Shortest, TimeSpan.FromDays(1), $"{nameof(EventBusOptions)}.Sagas.{nameof(SagaOptions.StepTimeout)}", problems);
        Range(options.Sagas.Retention, TimeSpan.FromMinutes(1), TimeSpan.FromDays(3_653), $"{nameof(EventBusOptions)}.Sagas.{nameof(SagaOptions.Retention)}", problems);
        Check(Merge(options, new SubscriptionRegistration("")), nameof(EventBusOptions), problems);
    }

    public static void Check(SubscriptionOptions options, string owner, List<string> problems)
    {
        Range(options.Concurrency!.Value, 1, 1_000, $"{nameof(options.Concurrency)} of {owner}", problems);
        Range(options.HandlerTimeout!.Value, Shortest, TimeSpan.FromDays(1), $"{nameof(options.HandlerTimeout)} of {owner}", problems);
        Range(options.RetryCount!.Value, 0, 100, $"Retry count of {owner}", problems);
        Range(options.RetryFirstDelay!.Value, TimeSpan.Zero, TimeSpan.FromDays(1), $"First retry delay of {owner}", problems);
        Range(options.CircuitBreakerFailures!.Value, 0, 1_000, $"{nameof(options.CircuitBreakerFailures)} of {owner}", problems);
        Range(options.CircuitBreakerWindow!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), $"{nameof(options.CircuitBreakerWindow)} of {owner}", problems);
        if (options.RetryDelays is { } delays)
        {
            Range(delays.Count, 1, 100, $"The number of retry delays of {owner}", problems);
            foreach (var delay in delays)
            {
                Range(delay, TimeSpan.Zero, TimeSpan.FromDays(7), $"A retry delay of {owner}", problems);
            }
        }
    }

    public static void Check(SagaRetry? retry, string owner, List<string> problems)
    {
        Range(retry?.Count ?? 0, 0, 100, $"The count of the {owner}", problems);
        Range(retry?.FirstDelay ?? TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromDays(1), $"The first delay of the {owner}", problems);
        foreach (var delay in retry?.Delays ?? [])
        {
            Range(delay, TimeSpan.Zero, TimeSpan.FromDays(7), $"A delay of the {owner}", problems);
        }
    }

    public static void Check(IdempotencyOptions options, string owner, List<string> problems) =>
        Range(options.Retention, TimeSpan.FromMinutes(1), TimeSpan.FromDays(3_653), $"{nameof(options.Retention)} of {owner}", problems);

    public static void Check(OrderGuardOptions options, string owner, List<string> problems)
    {
        Range(options.Timeout, Shortest, TimeSpan.FromDays(30), $"{nameof(options.Timeout)} of {owner}", problems);
        Range(options.RecheckAfter, Shortest, TimeSpan.FromDays(30), $"{nameof(options.RecheckAfter)} of {owner}", problems);
    }

    /// <summary>
    /// Merges the settings of one subscription. Configuration by name takes precedence over code, and code over the
    /// bus.
    /// </summary>
    public static SubscriptionOptions Merge(EventBusOptions bus, SubscriptionRegistration subscription)
    {
        var configured = bus.Subscriptions.TryGetValue(subscription.Name, out var found) ? found : null;
        var own = subscription.Options;
        return new SubscriptionOptions
        {
            Concurrency = configured?.Concurrency ?? own.Concurrency ?? bus.Concurrency,
            HandlerTimeout = configured?.HandlerTimeout ?? own.HandlerTimeout ?? bus.HandlerTimeout,
            RetryCount = CountOf(configured) ?? CountOf(own) ?? bus.Retry.Delays?.Count ?? bus.Retry.Count,
            RetryFirstDelay = configured?.RetryFirstDelay ?? own.RetryFirstDelay ?? bus.Retry.FirstDelay,

            // A first delay that is set at one level overrides the list of delays of a less specific level.
            RetryDelays = configured?.RetryDelays ?? (configured?.RetryFirstDelay is not null ? null : own.RetryDelays ?? (own.RetryFirstDelay is not null ? null : bus.Retry.Delays)),
            CircuitBreakerFailures = configured?.CircuitBreakerFailures ?? own.CircuitBreakerFailures ?? bus.CircuitBreakerFailures,
            CircuitBreakerWindow = configured?.CircuitBreakerWindow ?? own.CircuitBreakerWindow ?? bus.CircuitBreakerWindow,
        };
    }

    private static int? CountOf(SubscriptionOptions? options) => options?.RetryDelays?.Count ?? options?.RetryCount;

    public static void Range<T>(T value, T min, T max, string name, List<string> problems)
        where T : IComparable<T>
    {
        // The condition is negated, so that NaN is out of range too.
        if (!(value.CompareTo(min) >= 0 && value.CompareTo(max) <= 0) || value is double.NaN)
        {
            problems.Add($"{name} is {value}; {min} to {max} are allowed.");
        }
    }
}
