using System.Text;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Represents a message that cannot be read as a <see cref="ParcelSent"/> event.</summary>
/// <param name="What">The description of what is wrong with it.</param>
/// <param name="Body">The body.</param>
/// <param name="Reason">The reason of the dead letter that it becomes.</param>
/// <param name="Attributes">The function that creates its attributes from an event id.</param>
internal sealed record MalformedMessage(string What, byte[] Body, DeadLetterReason Reason, Func<string, EnvelopeAttributes> Attributes)
{
    /// <summary>Returns a message of each kind.</summary>
    /// <param name="features">The features of the transport that sends the messages.</param>
    /// <param name="maxBodyBytes">The maximum size of a body.</param>
    public static IEnumerable<MalformedMessage> All(TransportFeatures features, int maxBodyBytes)
    {
        yield return Unreadable("nothing at all", "");
        yield return Unreadable("no JSON", "hello");
        yield return Unreadable("JSON that ends early", """{"number":1""");
        yield return Unreadable("JSON with something after it", """{"number":1} {"number":2}""");
        yield return Unreadable("null", "null");
        yield return Unreadable("an array instead of an object", "[1]");
        yield return Unreadable("a value of another type", """{"number":"one"}""");
        yield return Unreadable("a number that is too large", """{"number":99999999999999999999}""");
        yield return Unreadable("duplicate properties", """{"number":1,"number":2}""");
        yield return Unreadable("too deep", $$"""{"number":1,"unknown":{{new string('[', 40)}}{{new string(']', 40)}}}""");
        yield return Unreadable("bytes that are no UTF-8", [.. "{\"number\":1,\"note\":\""u8, 0xFF, 0xFE, .. "\"}"u8]);
        yield return Unreadable("binary", [0, 1, 2, 3, 255]);
        yield return new(
            "too large",
            Encoding.UTF8.GetBytes($$"""{"number":1,"note":"{{new string('x', maxBodyBytes)}}"}"""),
            DeadLetterReason.TooLarge,
            id => new EnvelopeAttributes { Id = id, Name = ParcelSent.EventName });
        yield return new(
            "an unknown version",
            "{\"number\":1}"u8.ToArray(),
            DeadLetterReason.UnknownEvent,
            id => new EnvelopeAttributes { Id = id, Name = ParcelSent.EventName, Version = 9 });
        yield return new(
            "another media type",
            "{\"number\":1}"u8.ToArray(),
            DeadLetterReason.Unreadable,
            id => new EnvelopeAttributes { Id = id, Name = ParcelSent.EventName, ContentType = "application/xml" });

        // Only such a transport passes on a defect that is set when the event is sent.
        if (!features.Serializes)
        {
            yield return new(
                "a message in which the transport found a defect",
                "{\"number\":1}"u8.ToArray(),
                DeadLetterReason.Unreadable,
                id => new EnvelopeAttributes { Id = id, Name = ParcelSent.EventName, Defect = "The header is broken." });
        }
    }

    private static MalformedMessage Unreadable(string what, string body) => Unreadable(what, Encoding.UTF8.GetBytes(body));

    private static MalformedMessage Unreadable(string what, byte[] body) =>
        new(what, body, DeadLetterReason.Unreadable, id => new EnvelopeAttributes { Id = id, Name = ParcelSent.EventName });
}
