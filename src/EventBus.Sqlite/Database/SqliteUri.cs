namespace EventBus;

/// <summary>Represents a path that is written as a URI, with the parameters that SQLite reads from it.</summary>
/// <param name="Path">The path behind the scheme, still escaped.</param>
/// <param name="Parameters">The parameters, decoded. SQLite distinguishes their case.</param>
internal sealed record SqliteUri(string Path, IReadOnlyList<(string Name, string Value)> Parameters)
{
    public const string Scheme = "file:";

    /// <summary>Returns true for a URI. SQLite itself knows the scheme in lower case only, the client in any.</summary>
    public static bool Matches(string source) => source.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase);

    /// <summary>Parses a URI as SQLite does: it ignores a fragment.</summary>
    public static SqliteUri Parse(string source)
    {
        var parts = source[Scheme.Length..].Split('#')[0].Split('?', 2);
        var query = parts.Length == 1 ? [] : parts[1].Split('&').Select(pair => pair.Split('=', 2));
        return new SqliteUri(
            parts[0],
            [.. query.Select(pair => (Uri.UnescapeDataString(pair[0]), pair.Length == 1 ? "" : Uri.UnescapeDataString(pair[1])))]);
    }

    /// <summary>Returns true if a parameter has one of the values; any value if none is given.</summary>
    public bool Has(string name, params string[] values) =>
        Parameters.Any(each => each.Name == name && (values.Length == 0 || values.Contains(each.Value, StringComparer.Ordinal)));
}
