namespace EventBus;

/// <summary>The settings that all alerts of a bus share.</summary>
/// <param name="Interval">The minimum time between two alerts of the same subscription and event name.</param>
/// <param name="ServiceName">The name of the application whose dead letters are reported.</param>
/// <param name="KnowsEvent">Returns true if the application declared an event of this name.</param>
internal sealed record AlertSettings(TimeSpan Interval, string ServiceName, Func<string, bool> KnowsEvent)
{
    /// <summary>The template of the links of dead letters; null for none.</summary>
    public string? DeadLetterLink { get; init; }

    /// <summary>The template of the links of sagas; null for none.</summary>
    public string? SagaLink { get; init; }
}
