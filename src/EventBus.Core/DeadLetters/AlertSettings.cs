namespace EventBus;

/// <summary>What all alerts of a bus share.</summary>
/// <param name="Interval">How often people are told of the same subscription and event name at most.</param>
/// <param name="ServiceName">Whose dead letters they are.</param>
/// <param name="KnowsEvent">Whether the application declared an event of a name.</param>
internal sealed record AlertSettings(TimeSpan Interval, string ServiceName, Func<string, bool> KnowsEvent);
