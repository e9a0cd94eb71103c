using System.Text;
using System.Text.Json;
using EventBus.Transports;

namespace EventBus;

/// <summary>Holds the data of a CloudEvents object while it is parsed: <c>data</c> or <c>data_base64</c>.</summary>
internal struct RedisPubSubData
{
    // The position of the value of 'data' in the message; null if there is none.
    private Range? embedded;

    // True if the value of 'data' is a JSON string.
    private bool isString;

    // The decoded value of 'data_base64'; null if there is none.
    private byte[]? decoded;

    /// <summary>True if the message has no data.</summary>
    public readonly bool IsMissing => decoded is null && embedded is null;

    /// <summary>Reads the value of <c>data</c>. Returns the defect; null if there is none.</summary>
    public string? Add(ref Utf8JsonReader reader)
    {
        if (!IsMissing)
        {
            return SkipSecond(ref reader);
        }

        isString = reader.TokenType == JsonTokenType.String;
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        embedded = start..(int)reader.BytesConsumed;
        return null;
    }

    /// <summary>Reads the value of <c>data_base64</c>. Returns the defect; null if there is none.</summary>
    public string? AddBase64(ref Utf8JsonReader reader)
    {
        if (!IsMissing)
        {
            return SkipSecond(ref reader);
        }

        if (reader.TokenType != JsonTokenType.String || !reader.TryGetBytesFromBase64(out decoded))
        {
            reader.Skip();
            return "The attribute 'data_base64' is no text in base 64.";
        }

        return null;
    }

    /// <summary>Returns the body. Call it only if there is data.</summary>
    /// <param name="message">The message.</param>
    /// <param name="contentType">The media type; null if the message has none.</param>
    public readonly byte[] ToBody(byte[] message, string? contentType)
    {
        if (decoded is not null)
        {
            return decoded;
        }

        // If the media type is not JSON, data that is a JSON string contains the body as its text.
        var value = message.AsSpan(embedded!.Value);
        var isOtherText = isString && contentType is not null && !CloudEventAttributes.IsJson(contentType);
        return isOtherText ? Unquote(value) : value.ToArray();
    }

    private static string SkipSecond(ref Utf8JsonReader reader)
    {
        reader.Skip();
        return "The envelope has its data twice.";
    }

    private static byte[] Unquote(ReadOnlySpan<byte> jsonString)
    {
        var reader = new Utf8JsonReader(jsonString);
        reader.Read();
        return Encoding.UTF8.GetBytes(reader.GetString()!);
    }
}
