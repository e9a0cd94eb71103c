using System.Buffers;
using System.Text;
using System.Text.Json;
using EventBus.Stores;

namespace EventBus;

/// <summary>Serializes the errors of an entry as JSON, which scripts do not read.</summary>
internal static class RedisFailureErrorFormat
{
    /// <summary>Writes the errors; empty if there are none.</summary>
    public static byte[] Write(FailedEvent entry)
    {
        if (entry is { Error: null, ErrorType: null, ErrorDetails: null, History.Count: 0 })
        {
            return [];
        }

        var buffer = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteString("error", entry.Error);
        if (entry.ErrorType is not null)
        {
            json.WriteString("type", entry.ErrorType);
        }

        json.WriteString("details", entry.ErrorDetails);
        json.WritePropertyName("history");
        json.WriteRawValue(StoreFormat.WriteHistory(entry.History));
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads the errors. Errors that cannot be read count as none.</summary>
    public static (string? Error, string? Type, string? Details, IReadOnlyList<FailedAttempt> History) Read(byte[] errors)
    {
        if (errors.Length == 0)
        {
            return (null, null, null, []);
        }

        try
        {
            using var document = JsonDocument.Parse(errors);
            var root = document.RootElement;
            return (
                root.GetProperty("error").GetString(),
                root.TryGetProperty("type", out var type) ? type.GetString() : null,
                root.GetProperty("details").GetString(),
                StoreFormat.ReadHistory(Encoding.UTF8.GetBytes(root.GetProperty("history").GetRawText())));
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return (null, null, null, []);
        }
    }
}
