using System.Text.RegularExpressions;

namespace EventBus.Architecture.Tests;

/// <summary>
/// Reads the part of YAML that samples/compose.yaml uses: nested mappings, lists of quoted texts, comments.
/// </summary>
internal static class ComposeFile
{
    private static readonly Regex Syntax = new(
        @"^(?<indent>( {2})*)((?<key>[\w-]+):( (?<value>[^#""'\[]+))?|- ""(?<item>[^""]+)"")$");

    /// <summary>Returns all values by their paths, for instance <c>services/redis/image</c>.</summary>
    /// <exception cref="FormatException">A line is not in the part of YAML that is read.</exception>
    public static ILookup<string, string> Parse(string text)
    {
        var path = new List<(int Indent, string Key)>();
        var values = new List<(string Path, string Value)>();
        foreach (var line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            if (line.Trim() is "" or ['#', ..])
            {
                continue;
            }

            var match = Syntax.Match(line);
            if (!match.Success)
            {
                throw new FormatException($"This line of the compose file cannot be read: '{line}'");
            }

            var indent = match.Groups["indent"].Length;
            path.RemoveAll(outer => outer.Indent >= indent);
            if (match.Groups["key"] is { Success: true } key)
            {
                path.Add((indent, key.Value));
            }

            if ((match.Groups["value"].Success ? match.Groups["value"] : match.Groups["item"]) is { Success: true } value)
            {
                values.Add((string.Join('/', path.Select(outer => outer.Key)), value.Value));
            }
        }

        return values.ToLookup(value => value.Path, value => value.Value);
    }
}
