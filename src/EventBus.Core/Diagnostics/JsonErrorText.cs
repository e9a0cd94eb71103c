using System.Text.Json;

namespace EventBus;

/// <summary>
/// Removes the content of JSON from the errors of the serializer, whose messages contain keys and values of the data.
/// </summary>
internal static class JsonErrorText
{
    private const string PathInMessage = " Path: $";

    /// <summary>Returns the line and the position of an error in the JSON, instead of its message.</summary>
    public static string PositionOf(JsonException json) => json is { LineNumber: { } line, BytePositionInLine: { } position }
        ? $"at line {line + 1}, byte {position + 1}"
        : "JSON that cannot be read or written";

    /// <summary>Returns true if a message contains a JSON path.</summary>
    public static bool HasPath(string message) => message.Contains(PathInMessage, StringComparison.Ordinal);

    /// <summary>
    /// Removes the JSON path at the end of a serializer message, because it contains keys of the data.
    /// </summary>
    public static string WithoutPath(string message)
    {
        var path = message.IndexOf(PathInMessage, StringComparison.Ordinal);
        return path >= 0 ? message[..path] : message;
    }
}
