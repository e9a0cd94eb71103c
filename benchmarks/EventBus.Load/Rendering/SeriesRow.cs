namespace EventBus.Load;

/// <summary>What a row of a plot is made of.</summary>
/// <param name="Title">What it is called.</param>
/// <param name="IsOurs">Whether it is to be seen at once.</param>
/// <param name="Find">Its series in a mode; null when it was not measured.</param>
internal sealed record SeriesRow(string Title, bool IsOurs, Func<Mode, Series?> Find);
