namespace EventBus;

/// <summary>The values of a context for tests.</summary>
internal sealed record TestEventContextOptions
{
    public required string EventId { get; init; }

    public required string EventName { get; init; }

    public required string? Key { get; init; }

    public required DateTimeOffset Time { get; init; }

    public required IReadOnlyDictionary<string, string> Headers { get; init; }

    public required string CorrelationId { get; init; }

    public required string? CausationId { get; init; }

    public required string Subscription { get; init; }

    public required int Attempt { get; init; }

    public required object? Event { get; init; }

    /// <summary>The service provider of the delivery; null for none.</summary>
    public required IServiceProvider? Services { get; init; }
}
