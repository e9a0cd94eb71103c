namespace EventBus.Load;

/// <param name="Name">What it says.</param>
/// <param name="Colour">The number of the colour.</param>
/// <param name="IsLine">A piece of a line rather than of a bar.</param>
/// <param name="IsDashed">Whether the line is dashed.</param>
internal sealed record LegendEntry(string Name, int Colour, bool IsLine = false, bool IsDashed = false);
