namespace EventBus;

/// <summary>The retries of a step or of its compensation. Null values mean the setting of the bus.</summary>
internal sealed record SagaRetry(int Count, TimeSpan? FirstDelay, IReadOnlyList<TimeSpan>? Delays);
