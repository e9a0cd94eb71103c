using System.Text;
using System.Text.Json;

namespace EventBus.Load;

/// <summary>Makes the tables and plots of docs/benchmarks.md from the existing result files.</summary>
internal static class Documents
{
    private const string Document = "docs/benchmarks.md";
    private const string Plots = "docs/benchmarks";

    /// <summary>Writes the changed files, or only lists them.</summary>
    /// <returns>0; 1 if a check finds an outdated file; 2 if a file cannot be used.</returns>
    public static int Render(bool check)
    {
        try
        {
            var wanted = Make();
            var surplus = Files(Full(Plots), "*.svg")
                .Select(path => $"{Plots}/{Path.GetFileName(path)}")
                .Where(path => !wanted.ContainsKey(path));
            var stale = wanted.Where(file => Read(file.Key) != file.Value).Select(file => file.Key).Concat(surplus).ToList();
            foreach (var path in stale)
            {
                Console.WriteLine($"{(check ? "out of date: " : wanted.ContainsKey(path) ? "written: " : "deleted: ")}{path}");
                if (!check)
                {
                    Put(path, wanted.GetValueOrDefault(path));
                }
            }

            Console.WriteLine(stale.Count == 0 ? "Everything is up to date."
                : check ? "To update them: dotnet run -c Release --project benchmarks/EventBus.Load -- render"
                : "");
            return check && stale.Count > 0 ? 1 : 0;
        }
        catch (InvalidDataException problem)
        {
            Console.Error.WriteLine(problem.Message);
            return 2;
        }
    }

    /// <summary>Returns the expected content of every file, by its path.</summary>
    private static SortedDictionary<string, string> Make()
    {
        var pictures = new Pictures(Path.GetFileName(Plots));
        var places = new Places(Load(), pictures);
        var template = Read(Document) ?? throw new InvalidDataException($"{Document} is missing; the tables stand between its lines.");
        var wanted =
            new SortedDictionary<string, string>(StringComparer.Ordinal) { [Document] = MarkedText.Fill(template, Document, places.Write) };
        foreach (var (name, svg) in pictures.All)
        {
            wanted[$"{Plots}/{name}.svg"] = svg;
        }

        return wanted;
    }

    private static List<ResultFile> Load()
    {
        var files = new List<ResultFile>();
        foreach (var path in Files(Repository.Results, "*.json"))
        {
            try
            {
                files.Add(ResultFile.Load(path));
            }
            catch (JsonException problem)
            {
                throw new InvalidDataException(
                    $"{Path.GetRelativePath(Repository.Root, path)} is no result file: {problem.Message}",
                    problem);
            }
        }

        return files;
    }

    /// <summary>Sorted, so that the order does not depend on the file system.</summary>
    private static List<string> Files(string folder, string pattern) =>
        Directory.Exists(folder) ? [.. Directory.GetFiles(folder, pattern).Order(StringComparer.Ordinal)] : [];

    private static string Full(string path) => Path.Combine(Repository.Root, path);

    private static string? Read(string path) => File.Exists(Full(path)) ? File.ReadAllText(Full(path)) : null;

    private static void Put(string path, string? text)
    {
        if (text is null)
        {
            File.Delete(Full(path));
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Full(path))!);
        File.WriteAllText(Full(path), text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
    }
}
