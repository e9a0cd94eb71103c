using System.Text;

namespace EventBus;

/// <summary>Formats and checks the lines of stack traces.</summary>
internal static class StackTraceLines
{
    /// <summary>
    /// The maximum length of a text with stack traces that log providers may write as it is, in characters.
    /// </summary>
    public const int MaxPlainLength = 64 * 1_024;

    /// <summary>Appends each line of a stack trace: a line feed, an indent and the printable text.</summary>
    public static void Append(StringBuilder text, string trace)
    {
        foreach (var line in trace.AsSpan().EnumerateLines())
        {
            if (line.Trim() is { Length: > 0 } frame)
            {
                text.Append("\n   ").Append(PrintableText.Of(frame.ToString()));
            }
        }
    }

    /// <summary>
    /// Returns true if all lines of a text are printable, and all lines but the first are those of a stack trace.
    /// </summary>
    public static bool ArePlain(string? text)
    {
        if (text is null or { Length: > MaxPlainLength })
        {
            return false;
        }

        foreach (var range in text.AsSpan().Split('\n'))
        {
            var line = text.AsSpan()[range].TrimEnd('\r');

            // Lines of a stack trace are indented, except "--- End of ...", which the runtime adds where an exception
            // was rethrown.
            var isAllowed = range.Start.Value == 0
                || line.IsEmpty
                || line[0] == ' '
                || line.StartsWith("--- End of ", StringComparison.Ordinal);
            if (!isAllowed || !PrintableText.IsPrintable(line))
            {
                return false;
            }
        }

        return true;
    }
}
