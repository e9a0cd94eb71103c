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
    public static string Describe(Exception exception)
    {
        // An inner exception of the JSON reader has the same position as the outer one and adds nothing.
        var relevant = ExceptionChain.Of(exception).Where(each => each == exception || each is not JsonException);
        return string.Join(", because of ", relevant.Select(DescribeOne));
    }

    private static string DescribeOne(Exception exception) => exception switch
    {
        JsonException { LineNumber: { } line, BytePositionInLine: { } position } =>
            $"{typeof(JsonException)} at line {line + 1}, byte {position + 1}",
        JsonException => $"{typeof(JsonException)}",
        _ => $"{exception.GetType()}{FirstFrame(ExceptionText.TraceOf(exception))}",
    };

    /// <summary>
    /// Returns a space and the method that threw, which is the first frame of a stack trace, without its file. Empty if
    /// there is no trace.
    /// </summary>
    private static string FirstFrame(string? trace)
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
