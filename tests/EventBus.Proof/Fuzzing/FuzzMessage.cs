namespace EventBus.Proof;

/// <summary>What is odd about a fuzz message.</summary>
internal enum FuzzKind
{
    /// <summary>Nothing.</summary>
    Plain,

    /// <summary>Numbers that are too large, too exact or none.</summary>
    Numbers,

    /// <summary>Values of another type than the event's.</summary>
    WrongTypes,

    /// <summary>Something that is there twice.</summary>
    Duplicates,

    /// <summary>Bytes that are no UTF-8, or another encoding.</summary>
    Encodings,

    /// <summary>Line breaks, escape sequences and the like, in bodies and attributes.</summary>
    ControlCharacters,

    /// <summary>Values within values.</summary>
    Nesting,

    /// <summary>Large bodies.</summary>
    Sizes,

    /// <summary>Attributes that are missing, too long, or say something else than they should.</summary>
    Attributes,

    /// <summary>Headers, many, large, with odd names.</summary>
    Headers,

    /// <summary>A body that is no JSON.</summary>
    Garbage,

    /// <summary>Oddities of the wire's own format.</summary>
    Wire,

    /// <summary>
    /// What the client of the wire may not survive: nested too deeply, too many, or of a type that it does not know.
    /// </summary>
    Hostile,

    /// <summary>An earlier message once more.</summary>
    Copy,

    /// <summary>The id of an earlier message, and other content.</summary>
    Twin,
}

/// <summary>One message of the fuzzer, before it is written in the format of a wire.</summary>
internal sealed class FuzzMessage
{
    /// <summary>Its number: the marker that it carries.</summary>
    public required long Number { get; init; }

    public required FuzzKind Kind { get; init; }

    /// <summary>The event's name as the wire routes it: one that a subscription takes.</summary>
    public required byte[] Route { get; set; }

    /// <summary>
    /// The attributes of CloudEvents by their names, some of them perhaps twice. Empty for the message of a program
    /// that knows nothing of them.
    /// </summary>
    public required List<(string Name, byte[] Value)> Attributes { get; init; }

    /// <summary>The headers that mean nothing to the bus.</summary>
    public List<(byte[] Name, byte[] Value)> Headers { get; } = [];

    /// <summary>Null: the message says nothing at all, where the wire knows the difference.</summary>
    public byte[]? Body { get; set; }

    /// <summary>Chance for what the format of the wire adds.</summary>
    public required Chance Chance { get; init; }

    /// <summary>The message whose id it has.</summary>
    public long TwinOf { get; init; } = FuzzMark.None;

    /// <summary>The format of the wire itself is to be bent.</summary>
    public bool IsOdd => Kind is FuzzKind.Wire or FuzzKind.Hostile;

    public void Set(string name, byte[]? value)
    {
        Attributes.RemoveAll(attribute => attribute.Name == name);
        if (value is not null)
        {
            Attributes.Add((name, value));
        }
    }
}
