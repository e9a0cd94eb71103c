namespace EventBus.Load;

/// <summary>Collects the plots of a document.</summary>
/// <param name="folder">The folder of the plots, relative to the document.</param>
internal sealed class Pictures(string folder)
{
    private readonly SortedDictionary<string, string> all = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, string> All => all;

    /// <summary>Adds a plot.</summary>
    /// <returns>The Markdown that shows the plot; empty if there is none.</returns>
    public string Add(string name, string title, string? svg)
    {
        if (svg is null)
        {
            return "";
        }

        all[name] = svg;
        return $"![{title}]({folder}/{name}.svg)";
    }
}
