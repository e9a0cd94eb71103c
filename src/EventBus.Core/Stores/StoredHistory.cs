using System.Buffers;
using System.Text.Json;

namespace EventBus.Stores;

/// <summary>Writes the history of a stored entry as JSON (UTF-8), and reads it.</summary>
internal static class StoredHistory
{
    private const int MaxDepth = 4;

    // The property that contains the number of an attempt. Stored entries have this name, so it must not change.
    private const string AttemptProperty = "start";

    /// <summary>Writes the history.</summary>
    public static byte[] Write(IReadOnlyList<FailedAttempt> history)
    {
        var buffer = new ArrayBufferWriter<byte>(64);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            foreach (var attempt in history)
            {
                json.WriteStartObject();
                json.WriteNumber(AttemptProperty, attempt.Attempt);
                json.WriteString("at", attempt.At);
                json.WriteString("error", attempt.Error);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads the history; empty if it cannot be read.</summary>
    public static IReadOnlyList<FailedAttempt> Read(ReadOnlySpan<byte> history)
    {
        try
        {
            var reader = new Utf8JsonReader(history, new JsonReaderOptions { MaxDepth = MaxDepth });
            using var document = JsonDocument.ParseValue(ref reader);
            return [.. document.RootElement.EnumerateArray().Take(FailedEvent.MaxHistory).Select(attempt => new FailedAttempt(
                attempt.GetProperty(AttemptProperty).GetInt32(),
                attempt.GetProperty("at").GetDateTimeOffset(),
                attempt.GetProperty("error").GetString() ?? ""))];
        }
        catch (Exception exception)
            when (exception is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            return [];
        }
    }
}
