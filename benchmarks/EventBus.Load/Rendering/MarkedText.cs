using System.Text;

namespace EventBus.Load;

/// <summary>
/// Replaces the parts of a text between <c>&lt;!-- begin: NAME --&gt;</c> and <c>&lt;!-- end: NAME --&gt;</c>, each on
/// its own line; the rest is unchanged.
/// </summary>
internal static class MarkedText
{
    private const string Begin = "<!-- begin: ";
    private const string End = "<!-- end: ";
    private const string Close = " -->";

    /// <param name="text">The text.</param>
    /// <param name="path">The path of the text, for errors.</param>
    /// <param name="write">Returns the content of a part; null if the name is unknown.</param>
    /// <exception cref="InvalidDataException">A part is unknown, or its begin or end is missing.</exception>
    public static string Fill(string text, string path, Func<string, string?> write)
    {
        var filled = new StringBuilder();
        string? open = null;
        foreach (var line in text.TrimEnd('\n').Split('\n'))
        {
            if (Name(line, Begin) is { } begun)
            {
                Demand(open is null, $"{path}: the place '{open}' has no end before '{begun}' begins.");
                var content = write(begun) ?? throw new InvalidDataException($"{path}: there is no place '{begun}'.");
                open = begun;
                filled.Append(line).Append("\n\n").Append(content.Trim('\n')).Append("\n\n");
            }
            else if (Name(line, End) is { } ended)
            {
                Demand(open == ended, $"{path}: the place '{ended}' ends where {(open is null ? "none" : $"'{open}'")} has begun.");
                open = null;
                filled.Append(line).Append('\n');
            }
            else if (open is null)
            {
                filled.Append(line).Append('\n');
            }
        }

        Demand(open is null, $"{path}: the place '{open}' has no end.");
        return filled.ToString();
    }

    private static string? Name(string line, string mark) =>
        line.StartsWith(mark, StringComparison.Ordinal) && line.TrimEnd().EndsWith(Close, StringComparison.Ordinal)
            ? line.TrimEnd()[mark.Length..^Close.Length]
            : null;

    private static void Demand(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new InvalidDataException(otherwise);
        }
    }
}
