using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using EventBus.Transports;

namespace EventBus;

/// <summary>Represents a parsed CloudEvents object: its attributes as strings, and the bytes of its data.</summary>
internal sealed class RedisPubSubMessage
{
    private const int Known = (int)RedisPubSubAttribute.Version + 1;

    private readonly RedisStringCache texts;
    private Values values;
    private Dictionary<string, string>? others;
    private bool hasTime;
    private Range data;
    private bool dataIsText;
    private byte[]? binary;

    private RedisPubSubMessage(RedisStringCache texts) => this.texts = texts;

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
    /// <param name="texts">Caches strings that most messages have in common.</param>
    public static RedisPubSubMessage? TryRead(byte[] message, RedisStringCache texts)
    {
        var read = new RedisPubSubMessage(texts);
        try
        {
            var reader = new Utf8JsonReader(message, new JsonReaderOptions { MaxDepth = RedisPubSubWireFormat.MaxDepth + 1 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return null;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                read.Add(ref reader);
            }

            // Throws if anything follows the object.
            reader.Read();
            return read.TryFinish(message) ? read : null;
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
            (others ??= new(StringComparer.Ordinal))[CloudEventAttributes.Subject] = subject;
        }

        if (others?.Remove(RedisPubSubWireFormat.OddHeaders, out var odd) == true && !TryAddOdd(others, odd))
        {
            // An extension with this name that the bus did not write: it is a header of the user.
            others[RedisPubSubWireFormat.OddHeaders] = odd;
        }

        return others is { Count: > 0 } ? others : null;
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
            AddBinary(ref reader);
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

        dataIsText = reader.TokenType == JsonTokenType.String;
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        data = start..(int)reader.BytesConsumed;
    }

    private void AddBinary(ref Utf8JsonReader reader)
    {
        if (!HasDataAlready(ref reader) && (reader.TokenType != JsonTokenType.String || !reader.TryGetBytesFromBase64(out binary)))
        {
            Defect ??= "The attribute 'data_base64' is no text in base 64.";
            reader.Skip();
        }
    }

    private bool HasDataAlready(ref Utf8JsonReader reader)
    {
        if (binary is null && data.Equals(default))
        {
            return false;
        }

        Defect ??= "The envelope has its data twice.";
        reader.Skip();
        return true;
    }

    private void AddTime(ref Utf8JsonReader reader)
    {
        // The format that the bus writes is parsed without allocating a string. Any other valid time is accepted too.
        DateTimeOffset? time = null;
        if (reader.TokenType == JsonTokenType.String && reader.ValueSpan.EndsWith("Z"u8) && reader.TryGetDateTimeOffset(out var usual))
        {
            time = usual;
        }
        else if (RedisPubSubAttributes.ReadValue(ref reader) is not { } text)
        {
            return;
        }
        else if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var other))
        {
            time = other;
        }

        if (hasTime)
        {
            Defect ??= "The envelope has an attribute twice.";
            return;
        }

        (hasTime, Time) = (true, time);
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

        var isRepeated = attribute is RedisPubSubAttribute.SpecVersion
            or RedisPubSubAttribute.Type
            or RedisPubSubAttribute.Source
            or RedisPubSubAttribute.ContentType;
        var value = isRepeated && reader is { TokenType: JsonTokenType.String, ValueIsEscaped: false } && Ascii.IsValid(reader.ValueSpan)
            ? texts.Get(reader.ValueSpan)
            : RedisPubSubAttributes.ReadValue(ref reader);
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
        if (attribute is not { } known)
        {
            others ??= new(StringComparer.Ordinal);
            return others.TryAdd(name!, value);
        }

        if (values[(int)known] is not null)
        {
            return false;
        }

        values[(int)known] = value;
        return true;
    }

    private bool TryFinish(byte[] message)
    {
        if (this[RedisPubSubAttribute.SpecVersion] is not { } specification)
        {
            return false;
        }

        if (specification != CloudEventAttributes.Version)
        {
            Defect ??= "The message claims a version of CloudEvents other than 1.0.";
        }

        if (binary is not null)
        {
            Data = binary;
        }
        else if (data.Equals(default))
        {
            Defect ??= "The envelope has no data.";
        }
        else
        {
            // If the media type is not JSON, data that is a JSON string contains the body as its text.
            var raw = message.AsSpan(data);
            Data = dataIsText && this[RedisPubSubAttribute.ContentType] is { } type && !CloudEventAttributes.IsJson(type)
                ? Unquote(raw)
                : raw.ToArray();
        }

        if (Defect is not null)
        {
            // The body of an invalid message is the whole message, as evidence.
            Data = message;
        }

        return true;
    }

    private static byte[] Unquote(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text);
        reader.Read();
        return Encoding.UTF8.GetBytes(reader.GetString()!);
    }

    private static bool TryAddOdd(Dictionary<string, string> headers, string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var odd = document.RootElement.EnumerateObject()
                .Select(header => (header.Name, Value: header.Value.GetString() ?? ""))
                .ToList();
            foreach (var (name, value) in odd)
            {
                headers[name] = value;
            }

            return true;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    [InlineArray(Known)]
    private struct Values
    {
        private string? first;
    }
}
