using EventBus.Transports;

namespace EventBus;

/// <summary>Defines the names of record headers: those of CloudEvents, and plain ones of other programs.</summary>
internal static class KafkaHeaderNames
{
    /// <summary>The prefix of an attribute of CloudEvents.</summary>
    public const string AttributePrefix = "ce_";

    /// <summary>The header that contains the media type of the value.</summary>
    public const string ContentType = "content-type";

    /// <summary>The header in which other programs write the event name if they write no CloudEvents.</summary>
    public const string PlainType = "type";

    /// <summary>The header in which other programs write the event id if they write no CloudEvents.</summary>
    public const string PlainId = "id";

    // Some programs write the prefix of the HTTP binding. Both have the same length.
    private const string OtherAttributePrefix = "ce-";

    public static bool IsAttribute(string name) =>
        name.StartsWith(AttributePrefix, StringComparison.Ordinal) || name.StartsWith(OtherAttributePrefix, StringComparison.Ordinal);

    /// <summary>Gets the part of an attribute's header name after the prefix.</summary>
    public static ReadOnlySpan<char> AttributeName(string header) => header.AsSpan(AttributePrefix.Length);

    /// <summary>True for a header that a user cannot set, because it has a meaning of its own.</summary>
    public static bool IsReserved(string name) =>
        IsAttribute(name) || IsContentType(name) || name is CloudEventAttributes.TraceParent or CloudEventAttributes.TraceState;

    /// <summary>True for the header of the media type, whose case other programs choose.</summary>
    public static bool IsContentType(string name) => string.Equals(name, ContentType, StringComparison.OrdinalIgnoreCase);
}
