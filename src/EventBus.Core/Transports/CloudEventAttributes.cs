using System.Security.Cryptography;
using System.Text;

namespace EventBus.Transports;

/// <summary>
/// Defines the names of the CloudEvents 1.0 attributes that every wire format uses, and the id and the name of an event
/// that has none.
/// </summary>
public static class CloudEventAttributes
{
    /// <summary>The attribute that contains the version of CloudEvents (<see cref="Version"/>).</summary>
    public const string SpecVersion = "specversion";

    /// <summary>The version of CloudEvents that the bus writes and reads.</summary>
    public const string Version = "1.0";

    /// <summary>The attribute that contains the event's id.</summary>
    public const string Id = "id";

    /// <summary>The attribute that contains the event's name.</summary>
    public const string Type = "type";

    /// <summary>The attribute that contains the service that published the event.</summary>
    public const string Source = "source";

    /// <summary>The attribute that contains the time of publication.</summary>
    public const string Time = "time";

    /// <summary>The attribute that contains the media type of the body.</summary>
    public const string DataContentType = "datacontenttype";

    /// <summary>The attribute that other programs use for a schema of the body. The bus ignores it.</summary>
    public const string DataSchema = "dataschema";

    /// <summary>The attribute that contains the key of an event of another program that has no partition key.</summary>
    public const string Subject = "subject";

    /// <summary>The extension that contains the version of the event's schema; 1 if it is missing.</summary>
    public const string EventVersion = "eventversion";

    /// <summary>The extension that contains the event's key.</summary>
    public const string PartitionKey = "partitionkey";

    /// <summary>The extension that contains the correlation id; the event's id if it is missing.</summary>
    public const string CorrelationId = "correlationid";

    /// <summary>The extension that contains the id of the event that caused this one.</summary>
    public const string CausationId = "causationid";

    /// <summary>The extension that is <c>true</c> if the bus derived the event's id.</summary>
    public const string DerivedId = "derivedid";

    /// <summary>The extension that contains the parent of the trace (W3C Trace Context).</summary>
    public const string TraceParent = "traceparent";

    /// <summary>The extension that contains the state of the trace (W3C Trace Context).</summary>
    public const string TraceState = "tracestate";

    /// <summary>The name of an event whose own name is missing, too long or damaged.</summary>
    public const string UnreadableType = "event.unreadable";

    /// <summary>The length of the longest attribute name in characters.</summary>
    public const int MaxLength = 15;

    /// <summary>True if a name is that of an attribute or of an extension that the bus uses.</summary>
    /// <param name="name">The name; attribute names are lowercase.</param>
    public static bool Contains(ReadOnlySpan<char> name) => name is
        SpecVersion or Id or Type or Source or Time or DataContentType or DataSchema or Subject
        or EventVersion or PartitionKey or CorrelationId or CausationId or DerivedId or TraceParent or TraceState;

    /// <summary>
    /// True if a media type is <c>application/json</c> or <c>text/json</c>, or its subtype ends in <c>+json</c>.
    /// </summary>
    /// <param name="contentType">The media type, with or without parameters, in any case.</param>
    public static bool IsJson(string contentType)
    {
        ArgumentNullException.ThrowIfNull(contentType);
        return JsonContent.Of(contentType).IsJson;
    }

    /// <summary>
    /// Creates the id of an event whose publisher gave none, from its name and its content: a redelivery gets the same
    /// id, and so does another event of the same name with the same content.
    /// </summary>
    /// <param name="name">The event's name.</param>
    /// <param name="content">The message.</param>
    /// <returns><c>sha256-</c> and 64 hexadecimal digits.</returns>
    public static string IdFromContent(string name, ReadOnlySpan<byte> content)
    {
        ArgumentNullException.ThrowIfNull(name);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(name));
        hash.AppendData([0]);
        hash.AppendData(content);
        return $"sha256-{Convert.ToHexStringLower(hash.GetHashAndReset())}";
    }
}
