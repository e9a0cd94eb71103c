namespace EventBus;

/// <summary>Describes what is wrong with a record, for its dead letter.</summary>
internal static class KafkaDefect
{
    private const int MaxName = 200;

    // A schema registry puts a zero byte and a schema id of four bytes before the value.
    private const int SchemaPrefixLength = 5;

    /// <summary>Describes why the value of a record is no JSON that the bus reads; null if it may be.</summary>
    /// <param name="contentType">The media type; null for none.</param>
    /// <param name="body">The value of the record.</param>
    public static string? OfContent(string? contentType, ReadOnlySpan<byte> body)
    {
        if (contentType?.StartsWith("application/cloudevents", StringComparison.OrdinalIgnoreCase) == true)
        {
            return "The record is in the structured mode of CloudEvents; only the binary mode with a plain value is read.";
        }

        return body.Length >= SchemaPrefixLength && body[0] == 0
            ? "The value begins with a zero byte, as the serializers of a schema registry write it (Avro, Protobuf or JSON Schema); only "
                + "plain JSON is read."
            : null;
    }

    /// <summary>Describes an event name that is none.</summary>
    public static string OfName(string name) => name.Length > MaxName
        ? $"The attribute 'type' has {name.Length:N0} characters; at most {MaxName} are read."
        : "The attribute 'type' is not an event name: lower-case words joined by dots.";

    /// <summary>Describes a record without an event name, and what to call.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="hasNoValue">True if the record has no value either.</param>
    public static string OfMissingName(string topic, bool hasNoValue)
    {
        var what = hasNoValue
            ? "The record has no event name and no value: it deletes its key in a compacted topic."
            : "The record has no event name: neither a header 'ce_type' nor 'type'.";
        return $"{what} If the topic is of another program, name its events with KafkaOptions.FromTopic(\"{topic}\").Named(...), "
            + ".NamedByHeader(...) or .NamedByProperty(...).";
    }
}
