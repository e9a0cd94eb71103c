using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using EventBus.Transports;

namespace EventBus;

/// <summary>Finds the attribute that a property of a message stands for, and reads its value.</summary>
internal static class RedisPubSubAttributes
{
    /// <summary>Gets the attribute of the current property name; null if the bus does not use it.</summary>
    public static RedisPubSubAttribute? Find(ref Utf8JsonReader reader)
    {
        if (reader.ValueIsEscaped)
        {
            return Find(reader.GetString());
        }

        // Compares without allocating a string. All names of attributes are ASCII.
        Span<char> name = stackalloc char[CloudEventAttributes.MaxLength];
        if (reader.ValueSpan.Length > name.Length || Ascii.ToUtf16(reader.ValueSpan, name, out var length) != OperationStatus.Done)
        {
            return null;
        }

        return Find(name[..length]);
    }

    /// <summary>
    /// Reads the value of an attribute as a string. Returns null for values that CloudEvents does not allow for
    /// attributes: null, an array or an object.
    /// </summary>
    public static string? ReadValue(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.String:
                return reader.GetString();
            case JsonTokenType.Number:
                return Encoding.UTF8.GetString(reader.ValueSpan);
            case JsonTokenType.True:
                return "true";
            case JsonTokenType.False:
                return "false";
            default:
                reader.Skip();
                return null;
        }
    }

    /// <summary>
    /// Reads a time; null for text that is not a valid time. Returns false for the values for which
    /// <see cref="ReadValue"/> returns null.
    /// </summary>
    public static bool TryReadTime(ref Utf8JsonReader reader, out DateTimeOffset? time)
    {
        // The format that the bus writes is parsed without allocating a string. Any other valid time is accepted too.
        if (reader.TokenType == JsonTokenType.String && reader.ValueSpan.EndsWith("Z"u8) && reader.TryGetDateTimeOffset(out var written))
        {
            time = written;
            return true;
        }

        var text = ReadValue(ref reader);
        var isTime = DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var parsed);
        time = isTime ? parsed : null;
        return text is not null;
    }

    private static RedisPubSubAttribute? Find(ReadOnlySpan<char> name) => name switch
    {
        CloudEventAttributes.SpecVersion => RedisPubSubAttribute.SpecVersion,
        CloudEventAttributes.Id => RedisPubSubAttribute.Id,
        CloudEventAttributes.Type => RedisPubSubAttribute.Type,
        CloudEventAttributes.Source => RedisPubSubAttribute.Source,
        CloudEventAttributes.Time => RedisPubSubAttribute.Time,
        CloudEventAttributes.DataContentType => RedisPubSubAttribute.ContentType,
        CloudEventAttributes.PartitionKey => RedisPubSubAttribute.Key,
        CloudEventAttributes.Subject => RedisPubSubAttribute.Subject,
        CloudEventAttributes.CorrelationId => RedisPubSubAttribute.CorrelationId,
        CloudEventAttributes.CausationId => RedisPubSubAttribute.CausationId,
        CloudEventAttributes.DerivedId => RedisPubSubAttribute.DerivedId,
        CloudEventAttributes.TraceParent => RedisPubSubAttribute.TraceParent,
        CloudEventAttributes.TraceState => RedisPubSubAttribute.TraceState,
        CloudEventAttributes.EventVersion => RedisPubSubAttribute.Version,
        _ => null,
    };
}
