namespace EventBus;

/// <summary>How often something of a saga is started again; what is null is as for the bus.</summary>
internal sealed record SagaRetry(int Count, TimeSpan? FirstDelay, IReadOnlyList<TimeSpan>? Delays);
