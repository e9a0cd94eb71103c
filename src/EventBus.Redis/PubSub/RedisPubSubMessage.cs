using System.Text.Json;
using EventBus.Transports;

namespace EventBus;

/// <summary>Represents a parsed CloudEvents object: its attributes as strings, and the bytes of its data.</summary>
internal sealed class RedisPubSubMessage
{
    // Not readonly: these structs are filled while the message is parsed.
    private RedisPubSubAttributeValues attributes;
    private RedisPubSubData data;

    private RedisPubSubMessage(RedisStringCache commonStrings) => attributes = new(commonStrings);

    /// <summary>The reason why the message is invalid; null if it is valid.</summary>
    public string? Defect { get; private set; }

    /// <inheritdoc cref="RedisPubSubAttributeValues.Time"/>
    public DateTimeOffset? Time => attributes.Time;

    /// <summary>The body.</summary>
    public byte[] Data { get; private set; } = [];

    /// <summary>Gets the value of an attribute; null if it is missing.</summary>
    public string? this[RedisPubSubAttribute attribute] => attributes[attribute];

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

    /// <inheritdoc cref="RedisPubSubAttributeValues.TakeHeaders"/>
    public Dictionary<string, string>? TakeHeaders() => attributes.TakeHeaders();

    private void Add(ref Utf8JsonReader reader)
    {
        string? defect;
        if (reader.ValueTextEquals("data"u8))
        {
            reader.Read();
            defect = data.Add(ref reader);
        }
        else if (reader.ValueTextEquals("data_base64"u8))
        {
            reader.Read();
            defect = data.AddBase64(ref reader);
        }
        else
        {
            defect = attributes.Add(ref reader);
        }

        Defect ??= defect;
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

        if (data.IsMissing)
        {
            Defect ??= "The envelope has no data.";
        }
        else
        {
            Data = data.ToBody(message, this[RedisPubSubAttribute.ContentType]);
        }

        if (Defect is not null)
        {
            // The body of an invalid message is the whole message, as evidence.
            Data = message;
        }

        return true;
    }
}
