namespace EventBus.Load;

/// <summary>The folders of the sources, found from where the program was built.</summary>
internal static class Repository
{
    public static string Root { get; } = Find(AppContext.BaseDirectory);

    public static string Results { get; } = Path.Combine(Root, "benchmarks", "results");

    private static string Find(string folder) =>
        File.Exists(Path.Combine(folder, "EventBus.sln")) ? folder
        : Path.GetDirectoryName(folder) is { } parent ? Find(parent)
        : throw new InvalidOperationException("The program does not lie in the sources' folders any more, where it keeps its results.");
}
