using System.Text;

namespace EventBus.Load;

/// <summary>A text with places between <c>&lt;!-- begin: NAME --&gt;</c> and <c>&lt;!-- end: NAME --&gt;</c>, each on a line of its own; all else is left as it is.</summary>
internal static class MarkedText
{
    private const string Begin = "<!-- begin: ";
    private const string End = "<!-- end: ";
    private const string Close = " -->";

    /// <param name="text">The text.</param>
    /// <param name="path">Where it comes from, for the errors.</param>
    /// <param name="write">What belongs into a place; null when there is no such place.</param>
    /// <exception cref="InvalidDataException">A place is not known, not ended, or not begun.</exception>
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
        line.StartsWith(mark, StringComparison.Ordinal) && line.TrimEnd().EndsWith(Close, StringComparison.Ordinal) ? line.TrimEnd()[mark.Length..^Close.Length] : null;

    private static void Demand(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new InvalidDataException(otherwise);
        }
    }
}
