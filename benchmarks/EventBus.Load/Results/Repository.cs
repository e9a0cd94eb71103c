namespace EventBus.Load;

/// <summary>Finds the folders of the sources from the folder of the program.</summary>
internal static class Repository
{
    public static string Root { get; } = Find(AppContext.BaseDirectory);

    public static string Results { get; } = Path.Combine(Root, "benchmarks", "results");

    private static string Find(string folder) =>
        File.Exists(Path.Combine(folder, "EventBus.sln")) ? folder
        : Path.GetDirectoryName(folder) is { } parent ? Find(parent)
        : throw new InvalidOperationException("The program must lie in the folders of the sources, where it keeps its results.");
}
