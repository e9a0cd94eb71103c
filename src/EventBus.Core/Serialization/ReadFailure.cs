using System.Text.Json;

namespace EventBus;

/// <summary>Why something could not be read, without a piece of it: the messages and paths of such exceptions hold values and keys of what was read.</summary>
internal static class ReadFailure
{
    /// <summary>The kinds of the exceptions, the place in the JSON, and where the code of the application threw.</summary>
    public static string Describe(Exception exception)
    {
        var (text, inner) = (Place(exception), exception.InnerException);
        for (; inner is not null; inner = inner.InnerException)
        {
            // The reader's own, at the same place, says no more.
            text += inner is JsonException ? "" : $", because of {Place(inner)}";
        }

        return text;
    }

    private static string Place(Exception exception) => exception is JsonException json
        ? $"{typeof(JsonException)}{(json is { LineNumber: { } line, BytePositionInLine: { } position } ? $" at line {line + 1}, byte {position + 1}" : "")}"
        : $"{exception.GetType()}{Frame(exception.StackTrace)}";

    /// <summary>The method that threw, without its file.</summary>
    private static string Frame(string? trace)
    {
        if (trace is null)
        {
            return "";
        }

        var end = trace.AsSpan().IndexOfAny('\r', '\n');
        var frame = (end < 0 ? trace : trace[..end]).Trim();
        var file = frame.IndexOf(") in ", StringComparison.Ordinal);
        return $" {(file < 0 ? frame : frame[..(file + 1)])}";
    }
}
