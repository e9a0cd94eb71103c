namespace EventBus.Conformance;

/// <summary>Represents a message that a program in another language sends.</summary>
/// <param name="EventName">The name of the event, which defines the destination of the message.</param>
/// <param name="Body">The bytes of the body.</param>
public sealed record ForeignMessage(string EventName, ReadOnlyMemory<byte> Body)
{
    /// <summary>
    /// The CloudEvents attributes by their standard names, such as <c>id</c> or <c>partitionkey</c>. If there are any,
    /// the message is a CloudEvents 1.0 message in the protocol's own binding. Default none: a message without
    /// attributes.
    /// </summary>
    public IReadOnlyDictionary<string, string> Attributes { get; init; } = new Dictionary<string, string>();

    /// <summary>The headers of the user. Default none.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();
}
