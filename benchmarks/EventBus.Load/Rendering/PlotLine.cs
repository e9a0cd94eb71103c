namespace EventBus.Load;

/// <param name="Name">The text of the legend.</param>
/// <param name="Colour">The number of its colour.</param>
/// <param name="IsDashed">True if the line is dashed and its points are hollow.</param>
/// <param name="Points">The points, from left to right.</param>
internal sealed record PlotLine(string Name, int Colour, bool IsDashed, IReadOnlyList<(double X, double Y)> Points);
