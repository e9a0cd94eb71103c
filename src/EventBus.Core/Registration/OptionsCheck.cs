namespace EventBus;

/// <summary>The allowed ranges of all settings.</summary>
internal static class OptionsCheck
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(10);

    public static void Check(EventBusOptions options, List<string> problems)
    {
        Range(options.PublishTimeout, Shortest, TimeSpan.FromHours(1), $"{nameof(EventBusOptions)}.{nameof(options.PublishTimeout)}", problems);
        Range(options.DrainTimeout, TimeSpan.Zero, TimeSpan.FromHours(1), $"{nameof(EventBusOptions)}.{nameof(options.DrainTimeout)}", problems);
        Range(options.WarnBodyBytes, 1, int.MaxValue, $"{nameof(EventBusOptions)}.{nameof(options.WarnBodyBytes)}", problems);
        Range(options.MaxBodyBytes, 1, 64 * 1024 * 1024, $"{nameof(EventBusOptions)}.{nameof(options.MaxBodyBytes)}", problems);
        Range(options.MaxDepth, 1, 1_000, $"{nameof(EventBusOptions)}.{nameof(options.MaxDepth)}", problems);
        Range(options.MaxParkedPerKey, 1, 1_000_000, $"{nameof(EventBusOptions)}.{nameof(options.MaxParkedPerKey)}", problems);
        Range(options.Retry.MaxDelay, TimeSpan.Zero, TimeSpan.FromDays(7), $"{nameof(EventBusOptions)}.Retry.{nameof(RetryOptions.MaxDelay)}", problems);
        Range(options.Retry.Jitter, 0, 1, $"{nameof(EventBusOptions)}.Retry.{nameof(RetryOptions.Jitter)}", problems);
        Check(Merge(options, new SubscriptionModel("")), nameof(EventBusOptions), problems);
    }

    public static void Check(SubscriptionOptions options, string owner, List<string> problems)
    {
        Range(options.Concurrency!.Value, 1, 1_000, $"{nameof(options.Concurrency)} of {owner}", problems);
        Range(options.HandlerTimeout!.Value, Shortest, TimeSpan.FromDays(1), $"{nameof(options.HandlerTimeout)} of {owner}", problems);
        Range(options.RetryCount!.Value, 0, 100, $"Retry count of {owner}", problems);
        Range(options.RetryFirstDelay!.Value, TimeSpan.Zero, TimeSpan.FromDays(1), $"First retry delay of {owner}", problems);
    }

    /// <summary>What holds for one subscription: configuration by name, then code, then the bus.</summary>
    public static SubscriptionOptions Merge(EventBusOptions bus, SubscriptionModel subscription)
    {
        var configured = bus.Subscriptions.TryGetValue(subscription.Name, out var found) ? found : null;
        return new SubscriptionOptions
        {
            Concurrency = configured?.Concurrency ?? subscription.Options.Concurrency ?? bus.Concurrency,
            HandlerTimeout = configured?.HandlerTimeout ?? subscription.Options.HandlerTimeout ?? bus.HandlerTimeout,
            RetryCount = configured?.RetryCount ?? subscription.Options.RetryCount ?? bus.Retry.Count,
            RetryFirstDelay = configured?.RetryFirstDelay ?? subscription.Options.RetryFirstDelay ?? bus.Retry.FirstDelay,
        };
    }

    private static void Range<T>(T value, T min, T max, string name, List<string> problems)
        where T : IComparable<T>
    {
        // Negated, so that "not a number" is out of range too.
        if (!(value.CompareTo(min) >= 0 && value.CompareTo(max) <= 0) || value is double.NaN)
        {
            problems.Add($"{name} is {value}; {min} to {max} are allowed.");
        }
    }
}
