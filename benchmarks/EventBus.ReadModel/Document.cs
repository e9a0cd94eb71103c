namespace EventBus.ReadModel;

/// <summary>Writes the table of docs/cqrs.md from the kept results.</summary>
internal static class Document
{
    private const string Page = "docs/cqrs.md";

    /// <returns>0; 1 if a check finds the page outdated; 2 if the page has no place for the table.</returns>
    public static int Render(bool check)
    {
        try
        {
            var path = Path.Combine(Repository.Root, Page);
            var text = File.ReadAllText(path);
            var wanted = MarkedText.Fill(
                text,
                Page,
                name => name != "read-model" ? null : Results.Read() is { } results ? ResultTable.Write(results) : "Not measured.");
            if (text == wanted)
            {
                Console.WriteLine("Everything is up to date.");
                return 0;
            }

            Console.WriteLine($"{(check ? "out of date" : "written")}: {Page}");
            if (check)
            {
                return 1;
            }

            File.WriteAllText(path, wanted);
            return 0;
        }
        catch (InvalidDataException problem)
        {
            Console.Error.WriteLine(problem.Message);
            return 2;
        }
    }
}
