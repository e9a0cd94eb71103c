namespace EventBus.Proof;

/// <summary>One message of the fuzzer, before it is written in the format of a backend.</summary>
internal sealed class FuzzMessage
{
    /// <summary>Its number: the marker that it carries.</summary>
    public required long Number { get; init; }

    public required FuzzKind Kind { get; init; }

    /// <summary>The event's name as the backend routes it: one that a subscription takes.</summary>
    public required byte[] Route { get; set; }

    /// <summary>
    /// The attributes of CloudEvents by their names, some of them perhaps twice. Empty for the message of a program
    /// that knows nothing of them.
    /// </summary>
    public required List<(string Name, byte[] Value)> Attributes { get; init; }

    /// <summary>The headers that mean nothing to the bus.</summary>
    public List<(byte[] Name, byte[] Value)> Headers { get; } = [];

    /// <summary>Null: the message says nothing at all, where the backend knows the difference.</summary>
    public byte[]? Body { get; set; }

    /// <summary>Chance for what the format of the wire adds.</summary>
    public required Chance Chance { get; init; }

    /// <summary>The message whose id it has.</summary>
    public long TwinOf { get; init; } = FuzzMark.None;

    /// <summary>The format of the wire format itself is to be bent.</summary>
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
