using System.Buffers;
using System.Text.Json;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Serializes the user's headers as CloudEvents extensions. Headers whose names CloudEvents does not allow are combined
/// in one extension, as the text of a JSON object.
/// </summary>
internal static class RedisPubSubHeaders
{
    // The name of the extension that combines headers.
    private const string Combined = "headers";

    private const int BufferBytes = 512;

    /// <summary>
    /// Writes the headers. CloudEvents extension names consist of lowercase letters and digits; headers with other or
    /// reserved names are combined in one extension.
    /// </summary>
    public static void Write(Utf8JsonWriter writer, IReadOnlyDictionary<string, string> headers)
    {
        Dictionary<string, string>? combined = null;
        foreach (var (name, value) in headers)
        {
            if (name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c)) && !IsReserved(name))
            {
                writer.WriteString(name, value);
            }
            else
            {
                combined ??= new(StringComparer.Ordinal);
                combined.Add(name, value);
            }
        }

        if (combined is not null)
        {
            var buffer = new ArrayBufferWriter<byte>(BufferBytes);
            using var inner = new Utf8JsonWriter(buffer, RedisPubSubWireFormat.WriterOptions);
            inner.WriteStartObject();
            foreach (var (name, value) in combined)
            {
                inner.WriteString(name, value);
            }

            inner.WriteEndObject();
            inner.Flush();
            writer.WriteString(Combined, buffer.WrittenSpan);
        }
    }

    /// <summary>
    /// Replaces the extension that combines headers by these headers. If the bus did not write the extension, it is an
    /// ordinary header, and stays.
    /// </summary>
    public static void Separate(Dictionary<string, string> headers)
    {
        if (headers.TryGetValue(Combined, out var json) && ReadCombined(json) is { } others)
        {
            headers.Remove(Combined);
            foreach (var (name, value) in others)
            {
                headers[name] = value;
            }
        }
    }

    /// <summary>
    /// Reads the headers from the extension that combines them; null if the bus did not write the extension.
    /// </summary>
    private static List<(string Name, string Value)>? ReadCombined(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return [.. document.RootElement.EnumerateObject().Select(header => (header.Name, header.Value.GetString() ?? ""))];
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>True if the name is reserved, so that a header cannot be an extension of that name.</summary>
    private static bool IsReserved(string name) => CloudEventAttributes.Contains(name) || name is "data" or Combined;
}
