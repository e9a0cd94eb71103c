namespace EventBus.Proof;

/// <summary>A message of the fuzzer, before it is written in the format of a backend.</summary>
internal sealed class FuzzMessage
{
    /// <summary>The number of the message, which it carries as a marker.</summary>
    public required long Number { get; init; }

    public required FuzzKind Kind { get; init; }

    /// <summary>The name of the event as the backend routes it; a subscription consumes it.</summary>
    public required byte[] Route { get; set; }

    /// <summary>
    /// The CloudEvents attributes by name, possibly with duplicates. Empty for a message of a program that does not use
    /// CloudEvents.
    /// </summary>
    public required List<(string Name, byte[] Value)> Attributes { get; init; }

    /// <summary>The headers that the bus does not interpret.</summary>
    public List<(byte[] Name, byte[] Value)> Headers { get; } = [];

    /// <summary>The body. Null if there is none and the backend can express that.</summary>
    public byte[]? Body { get; set; }

    /// <summary>The random numbers for variations of the wire format.</summary>
    public required Chance Chance { get; init; }

    /// <summary>The number of the message whose id this one has.</summary>
    public long TwinOf { get; init; } = FuzzMark.None;

    /// <summary>True if the wire format itself is varied.</summary>
    public bool IsOdd => Kind is FuzzKind.WireFormat or FuzzKind.Hostile;

    public void Set(string name, byte[]? value)
    {
        Attributes.RemoveAll(attribute => attribute.Name == name);
        if (value is not null)
        {
            Attributes.Add((name, value));
        }
    }
}
