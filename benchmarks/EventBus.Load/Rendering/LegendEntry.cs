namespace EventBus.Load;

/// <param name="Name">The text.</param>
/// <param name="Colour">The number of the colour.</param>
/// <param name="IsLine">True for a line, false for a bar.</param>
/// <param name="IsDashed">True if the line is dashed.</param>
internal sealed record LegendEntry(string Name, int Colour, bool IsLine = false, bool IsDashed = false);
