namespace EventBus.Conformance;

/// <summary>What a program in another language sends.</summary>
/// <param name="EventName">The event's name: where the message goes.</param>
/// <param name="Body">The bytes.</param>
public sealed record ForeignMessage(string EventName, ReadOnlyMemory<byte> Body)
{
    /// <summary>Attributes of CloudEvents by their names there, such as <c>id</c> or <c>partitionkey</c>; with any, the message is a CloudEvents 1.0 message in the protocol's own way. Default none: a bare message.</summary>
    public IReadOnlyDictionary<string, string> Attributes { get; init; } = new Dictionary<string, string>();

    /// <summary>Headers of the user's. Default none.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();
}
