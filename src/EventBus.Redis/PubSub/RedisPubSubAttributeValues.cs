using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Collects the attributes of a CloudEvents object while it is parsed: those that the bus uses, and the others, which
/// are the user's headers.
/// </summary>
/// <param name="commonStrings">Caches strings that most messages have in common.</param>
internal struct RedisPubSubAttributeValues(RedisStringCache commonStrings)
{
    // The last member of the enumeration.
    private const int AttributeCount = (int)RedisPubSubAttribute.Version + 1;

    private const string DuplicateDefect = "The envelope has an attribute twice.";

    private Strings values;
    private Dictionary<string, string>? headers;
    private bool hasTime;

    /// <summary>
    /// The time of publication; null if the attribute is not a valid time. The Unix epoch if there is no such
    /// attribute.
    /// </summary>
    public DateTimeOffset? Time { get; private set; } = DateTimeOffset.UnixEpoch;

    /// <summary>Gets the value of an attribute; null if it is missing.</summary>
    public readonly string? this[RedisPubSubAttribute attribute] => values[(int)attribute];

    /// <summary>Reads an attribute: its name and its value. Returns the defect; null if there is none.</summary>
    public string? Add(ref Utf8JsonReader reader)
    {
        var attribute = RedisPubSubAttributes.Find(ref reader);
        var name = attribute is null ? reader.GetString()! : null;
        reader.Read();
        if (attribute == RedisPubSubAttribute.Time)
        {
            return AddTime(ref reader);
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
            // Null, an array or an object counts as no attribute.
            return null;
        }

        return TrySet(attribute, name, value) ? null : DuplicateDefect;
    }

    /// <summary>
    /// Returns the user's headers: the attributes that the bus does not use. Null if there are none. Call it once,
    /// after the last attribute.
    /// </summary>
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

        RedisPubSubHeaders.Separate(headers);
        return headers.Count > 0 ? headers : null;
    }

    private string? AddTime(ref Utf8JsonReader reader)
    {
        if (!RedisPubSubAttributes.TryReadTime(ref reader, out var time))
        {
            return null;
        }

        if (hasTime)
        {
            return DuplicateDefect;
        }

        hasTime = true;
        Time = time;
        return null;
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

    // One string for each member of RedisPubSubAttribute.
    [InlineArray(AttributeCount)]
    private struct Strings
    {
        private string? first;
    }
}
