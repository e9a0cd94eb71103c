using System.Reflection;

namespace EventBus.Architecture.Tests;

/// <summary>Reads the files of the repository, without the output of builds.</summary>
internal static class Repository
{
    private static readonly string[] BuildOutput = ["bin", "obj", "artifacts", "node_modules"];

    public static string Root { get; } = typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == "RepositoryRoot").Value!;

    /// <summary>Returns the files below a folder, as paths with forward slashes relative to the root.</summary>
    public static IEnumerable<string> Files(string folder = "", string extension = "") =>
        Walk(new DirectoryInfo(Path.Combine(Root, folder)))
            .Select(file => Path.GetRelativePath(Root, file.FullName).Replace('\\', '/'))
            .Where(path => path.EndsWith(extension, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);

    /// <summary>The README files of the packages, each next to its project.</summary>
    public static IEnumerable<string> PackageReadmes => Files("src", "/README.md");

    public static bool Has(string path) => File.Exists(Path.Combine(Root, path));

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    private static IEnumerable<FileInfo> Walk(DirectoryInfo folder) =>
        folder.EnumerateFiles().Where(file => file.LinkTarget is null)
            .Concat(folder.EnumerateDirectories()
                .Where(child => child.LinkTarget is null
                    && !BuildOutput.Contains(child.Name)
                    && (child.Name == ".ci" || !child.Name.StartsWith('.')))
                .SelectMany(Walk));
}
