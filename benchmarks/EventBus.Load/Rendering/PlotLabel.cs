namespace EventBus.Load;

/// <param name="Text">What a row of a plot is called.</param>
/// <param name="IsOurs">Whether it is to be seen at once.</param>
internal sealed record PlotLabel(string Text, bool IsOurs);
