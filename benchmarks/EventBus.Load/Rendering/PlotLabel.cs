namespace EventBus.Load;

/// <param name="Text">The label of a row.</param>
/// <param name="IsOurs">True to emphasize the row.</param>
internal sealed record PlotLabel(string Text, bool IsOurs);
