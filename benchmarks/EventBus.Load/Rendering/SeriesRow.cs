namespace EventBus.Load;

/// <summary>A row of a plot.</summary>
/// <param name="Title">The label.</param>
/// <param name="IsOurs">True to emphasize the row.</param>
/// <param name="Find">Returns the series in a mode; null if it was not measured.</param>
internal sealed record SeriesRow(string Title, bool IsOurs, Func<Mode, Series?> Find);
