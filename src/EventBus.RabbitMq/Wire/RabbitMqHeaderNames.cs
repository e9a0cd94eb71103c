using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Defines the names of message headers: attributes of CloudEvents, headers of the bus, and headers that the broker or
/// its client writes.
/// </summary>
internal static class RabbitMqHeaderNames
{
    /// <summary>The prefix of an attribute of CloudEvents, as the bus writes it.</summary>
    public const string AttributePrefix = "cloudEvents_";

    /// <summary>The prefix of the headers in which the bus describes a failure.</summary>
    public const string BusPrefix = "eventbus-";

    /// <summary>
    /// The header that contains the name of a header which was removed because the client cannot read it. A header of
    /// this name from a publisher is removed too.
    /// </summary>
    public const string Unreadable = BusPrefix + "unreadable";

    // The AMQP binding of CloudEvents requires support for both prefixes. It prefers the underscore, because JMS
    // clients cannot read names with a colon. Both prefixes have the same length.
    private const string ColonAttributePrefix = "cloudEvents:";

    public static bool IsAttribute(string name) =>
        name.StartsWith(AttributePrefix, StringComparison.Ordinal)
            || name.StartsWith(ColonAttributePrefix, StringComparison.Ordinal);

    /// <summary>Gets the part of an attribute's header name after the prefix.</summary>
    public static ReadOnlySpan<char> AttributeName(string header) => header.AsSpan(AttributePrefix.Length);

    /// <summary>
    /// True for a header that the broker, its client or the bus writes. Names that begin with <c>x-</c> are not all
    /// reserved: users have names like <c>x-request-id</c>.
    /// </summary>
    public static bool IsReserved(string name) =>
        name is "x-delivery-count" or "x-acquired-count" or "x-death" or CloudEventAttributes.TraceParent or CloudEventAttributes.TraceState
        || name.StartsWith(BusPrefix, StringComparison.Ordinal)
        || name.StartsWith("x-first-death-", StringComparison.Ordinal)
        || name.StartsWith("x-last-death-", StringComparison.Ordinal)
        || name.StartsWith("x-dotnet-", StringComparison.Ordinal);
}
