using System.Text.Json;

namespace EventBus;

/// <summary>
/// Why something could not be read, without a piece of it: the messages and paths of such exceptions hold values and
/// keys of what was read.
/// </summary>
internal static class ReadFailure
{
    /// <summary>
    /// The kinds of the exceptions, the place in the JSON, and where the code of the application threw.
    /// </summary>
    public static string Describe(Exception exception) => string.Join(
        ", because of ",

        // The reader's own within another, at the same place, says no more.
        ExceptionText.AllOf(exception).Where(each => each == exception || each is not JsonException).Select(Place));

    private static string Place(Exception exception) => exception is JsonException json
        ? $"{typeof(JsonException)}{(json is { LineNumber: { } line, BytePositionInLine: { } position } ? $" at line {line + 1}, byte {position + 1}" : "")}"
        : $"{exception.GetType()}{Frame(ExceptionText.TraceOf(exception))}";

    /// <summary>The method that threw, without its file.</summary>
    private static string Frame(string? trace)
    {
        if (trace is null)
        {
            return "";
        }

        var end = trace.IndexOf('\n', StringComparison.Ordinal);
        var frame = PrintableText.Of(end < 0 ? trace : trace[..end], ExceptionText.MaxMessage).Trim();
        var file = frame.IndexOf(") in ", StringComparison.Ordinal);
        return $" {(file < 0 ? frame : frame[..(file + 1)])}";
    }
}
