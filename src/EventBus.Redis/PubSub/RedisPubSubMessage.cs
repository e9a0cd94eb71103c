using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using EventBus.Transports;

namespace EventBus;

/// <summary>Represents a parsed CloudEvents object: its attributes as strings, and the bytes of its data.</summary>
internal sealed class RedisPubSubMessage
{
    // The last member of the enumeration.
    private const int AttributeCount = (int)RedisPubSubAttribute.Version + 1;

    private readonly RedisStringCache commonStrings;
    private AttributeValues values;
    private Dictionary<string, string>? headers;
    private bool hasTime;

    // The bytes of the value of 'data' in the message; null if there is none.
    private Range? data;
    private bool isDataString;

    // The decoded value of 'data_base64'; null if there is none.
    private byte[]? decodedData;

    private RedisPubSubMessage(RedisStringCache commonStrings) => this.commonStrings = commonStrings;

    /// <summary>The reason why the message is invalid; null if it is valid.</summary>
    public string? Defect { get; private set; }

    /// <summary>
    /// The time of publication; null if the attribute is not a valid time. The Unix epoch if there is no such
    /// attribute.
    /// </summary>
    public DateTimeOffset? Time { get; private set; } = DateTimeOffset.UnixEpoch;

    /// <summary>The body.</summary>
    public byte[] Data { get; private set; } = [];

    /// <summary>Gets the value of an attribute; null if it is missing.</summary>
    public string? this[RedisPubSubAttribute attribute] => values[(int)attribute];

    /// <summary>
    /// Parses a message. Returns null if it is not a CloudEvents object; the whole message is then the body.
    /// </summary>
    /// <param name="message">The message.</param>
    /// <param name="commonStrings">Caches strings that most messages have in common.</param>
    public static RedisPubSubMessage? TryRead(byte[] message, RedisStringCache commonStrings)
    {
        var parsed = new RedisPubSubMessage(commonStrings);
        try
        {
            var reader = new Utf8JsonReader(message, new JsonReaderOptions { MaxDepth = RedisPubSubWireFormat.MaxDepth + 1 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return null;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                parsed.Add(ref reader);
            }

            // Throws a JsonException if anything follows the object.
            reader.Read();
            return parsed.TryFinish(message) ? parsed : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // The message is not JSON, or contains a string that is not valid text.
            return null;
        }
    }

    /// <summary>Returns the attributes that the bus does not use: the user's headers. Null if there are none.</summary>
    public Dictionary<string, string>? TakeHeaders()
    {
        if (this[RedisPubSubAttribute.Key] is not null && this[RedisPubSubAttribute.Subject] is { } subject)
        {
            // The subject is the key only if there is no partition key; otherwise it is a header.
            headers ??= new(StringComparer.Ordinal);
            headers[CloudEventAttributes.Subject] = subject;
        }

        if (headers is null)
        {
            return null;
        }

        // If the bus did not write the extension, it is an ordinary header, and stays.
        if (headers.TryGetValue(RedisPubSubWireFormat.CombinedHeaders, out var json)
            && RedisPubSubWireFormat.ReadCombinedHeaders(json) is { } others)
        {
            headers.Remove(RedisPubSubWireFormat.CombinedHeaders);
            foreach (var (name, value) in others)
            {
                headers[name] = value;
            }
        }

        return headers.Count > 0 ? headers : null;
    }

    private void Add(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("data"u8))
        {
            reader.Read();
            AddData(ref reader);
        }
        else if (reader.ValueTextEquals("data_base64"u8))
        {
            reader.Read();
            AddBase64Data(ref reader);
        }
        else
        {
            AddAttribute(ref reader);
        }
    }

    private void AddData(ref Utf8JsonReader reader)
    {
        if (HasDataAlready(ref reader))
        {
            return;
        }

        isDataString = reader.TokenType == JsonTokenType.String;
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        data = start..(int)reader.BytesConsumed;
    }

    private void AddBase64Data(ref Utf8JsonReader reader)
    {
        if (HasDataAlready(ref reader))
        {
            return;
        }

        if (reader.TokenType != JsonTokenType.String || !reader.TryGetBytesFromBase64(out decodedData))
        {
            Defect ??= "The attribute 'data_base64' is no text in base 64.";
            reader.Skip();
        }
    }

    /// <summary>True if the message has its data already: records the defect, and skips the current value.</summary>
    private bool HasDataAlready(ref Utf8JsonReader reader)
    {
        if (decodedData is null && data is null)
        {
            return false;
        }

        Defect ??= "The envelope has its data twice.";
        reader.Skip();
        return true;
    }

    private void AddTime(ref Utf8JsonReader reader)
    {
        if (!RedisPubSubAttributes.TryReadTime(ref reader, out var time))
        {
            return;
        }

        if (hasTime)
        {
            Defect ??= "The envelope has an attribute twice.";
            return;
        }

        hasTime = true;
        Time = time;
    }

    private void AddAttribute(ref Utf8JsonReader reader)
    {
        var attribute = RedisPubSubAttributes.Find(ref reader);
        var name = attribute is null ? reader.GetString()! : null;
        reader.Read();
        if (attribute == RedisPubSubAttribute.Time)
        {
            AddTime(ref reader);
            return;
        }

        // Most messages have the same values of these attributes.
        var isCommon = attribute is RedisPubSubAttribute.SpecVersion
            or RedisPubSubAttribute.Type
            or RedisPubSubAttribute.Source
            or RedisPubSubAttribute.ContentType;
        var isPlain = isCommon
            && reader is { TokenType: JsonTokenType.String, ValueIsEscaped: false }
            && Ascii.IsValid(reader.ValueSpan);
        var value = isPlain ? commonStrings.Get(reader.ValueSpan) : RedisPubSubAttributes.ReadValue(ref reader);
        if (value is null)
        {
            return;
        }

        if (!TrySet(attribute, name, value))
        {
            Defect ??= "The envelope has an attribute twice.";
        }
    }

    /// <summary>
    /// Stores the value of an attribute, or of a header by its name. Returns false if it is there already.
    /// </summary>
    private bool TrySet(RedisPubSubAttribute? attribute, string? name, string value)
    {
        if (attribute is null)
        {
            headers ??= new(StringComparer.Ordinal);
            return headers.TryAdd(name!, value);
        }

        var index = (int)attribute.Value;
        if (values[index] is not null)
        {
            return false;
        }

        values[index] = value;
        return true;
    }

    /// <summary>
    /// Sets the body, and records the remaining defects. Returns false if the message is not a CloudEvents object.
    /// </summary>
    private bool TryFinish(byte[] message)
    {
        var specVersion = this[RedisPubSubAttribute.SpecVersion];
        if (specVersion is null)
        {
            return false;
        }

        if (specVersion != CloudEventAttributes.Version)
        {
            Defect ??= "The message claims a version of CloudEvents other than 1.0.";
        }

        if (decodedData is not null)
        {
            Data = decodedData;
        }
        else if (data is null)
        {
            Defect ??= "The envelope has no data.";
        }
        else
        {
            // If the media type is not JSON, data that is a JSON string contains the body as its text.
            var value = message.AsSpan(data.Value);
            var isOtherText = isDataString
                && this[RedisPubSubAttribute.ContentType] is { } contentType
                && !CloudEventAttributes.IsJson(contentType);
            Data = isOtherText ? Unquote(value) : value.ToArray();
        }

        if (Defect is not null)
        {
            // The body of an invalid message is the whole message, as evidence.
            Data = message;
        }

        return true;
    }

    private static byte[] Unquote(ReadOnlySpan<byte> jsonString)
    {
        var reader = new Utf8JsonReader(jsonString);
        reader.Read();
        return Encoding.UTF8.GetBytes(reader.GetString()!);
    }

    // One string for each member of RedisPubSubAttribute.
    [InlineArray(AttributeCount)]
    private struct AttributeValues
    {
        private string? first;
    }
}
