using System.Text.Json;
using EventBus.Transports;

namespace EventBus;

/// <summary>Finds the event names of records that have no attribute <c>type</c>.</summary>
internal static class KafkaEventNaming
{
    /// <summary>
    /// Finds the event name of a record: in the header <c>type</c>, then as the application describes the topic
    /// (<see cref="KafkaOptions.FromTopic"/>).
    /// </summary>
    /// <param name="headers">The headers of the record; null for none.</param>
    /// <param name="body">The value of the record.</param>
    /// <param name="reader">The description of the topic; null for none.</param>
    /// <returns>Null if the record has no name.</returns>
    public static string? Find(Dictionary<string, string>? headers, ReadOnlySpan<byte> body, KafkaTopicReader? reader)
    {
        var found = headers?.GetValueOrDefault(KafkaHeaderNames.PlainType)
            ?? (reader?.Header is { } header ? headers?.GetValueOrDefault(header) : null)
            ?? (reader?.Property is { } property ? FindProperty(body, property) : null)
            ?? reader?.EventName;
        return IsName(found) ? found : null;
    }

    /// <summary>True if a text can be an event name: words of the grammar, without wildcards.</summary>
    public static bool IsName(string? text) => text is not null && EventPattern.TryParse(text, out var name) && name.IsExact;

    private static string? FindProperty(ReadOnlySpan<byte> body, string property)
    {
        try
        {
            var json = new Utf8JsonReader(body);
            while (json.Read())
            {
                if (json.CurrentDepth == 1 && json.TokenType == JsonTokenType.PropertyName)
                {
                    var isFound = json.ValueTextEquals(property);
                    json.Read();
                    if (isFound)
                    {
                        return json.TokenType == JsonTokenType.String ? json.GetString() : null;
                    }

                    json.Skip();
                }
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // The value is no JSON, or its text is no UTF-16: it has no name.
        }

        return null;
    }
}
