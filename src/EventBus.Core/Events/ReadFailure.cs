using System.Text.Json;

namespace EventBus;

/// <summary>
/// Describes why data could not be read, without its content: the messages and paths of such exceptions contain values
/// and keys of the data.
/// </summary>
internal static class ReadFailure
{
    /// <summary>
    /// Returns the types of the exceptions, the position in the JSON, and the method of the application that threw.
    /// </summary>
    public static string Describe(Exception exception) => string.Join(
        ", because of ",

        // The reader's exception inside another one has the same position and adds nothing.
        ExceptionText.AllOf(exception).Where(each => each == exception || each is not JsonException).Select(Place));

    private static string Place(Exception exception) => exception switch
    {
        JsonException { LineNumber: { } line, BytePositionInLine: { } position } =>
            $"{typeof(JsonException)} at line {line + 1}, byte {position + 1}",
        JsonException => $"{typeof(JsonException)}",
        _ => $"{exception.GetType()}{Frame(ExceptionText.TraceOf(exception))}",
    };

    /// <summary>Returns the method that threw, without its file.</summary>
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
