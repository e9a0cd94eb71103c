namespace EventBus.Load;

/// <param name="Name">What the legend says.</param>
/// <param name="Colour">The number of its colour.</param>
/// <param name="IsDashed">Whether it is dashed, and its points are hollow.</param>
/// <param name="Points">Where it goes, from left to right.</param>
internal sealed record PlotLine(string Name, int Colour, bool IsDashed, IReadOnlyList<(double X, double Y)> Points);
