namespace EventBus.Load;

/// <summary>The plots that the places of a document show.</summary>
/// <param name="folder">Where they lie, as the document sees it.</param>
internal sealed class Pictures(string folder)
{
    private readonly SortedDictionary<string, string> all = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, string> All => all;

    /// <summary>Keeps a plot.</summary>
    /// <returns>What shows it; nothing when there was nothing to draw.</returns>
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
