namespace EventBus.Proof;

/// <summary>The kinds of fuzz messages.</summary>
internal enum FuzzKind
{
    /// <summary>The message is valid.</summary>
    Plain,

    /// <summary>Numbers are too large, too precise or not numbers.</summary>
    Numbers,

    /// <summary>Values have another type than the event's.</summary>
    WrongTypes,

    /// <summary>A part of the message occurs twice.</summary>
    Duplicates,

    /// <summary>Bytes are not UTF-8, or have another encoding.</summary>
    Encodings,

    /// <summary>Bodies and attributes contain line breaks, escape sequences and the like.</summary>
    ControlCharacters,

    /// <summary>Values are nested.</summary>
    Nesting,

    /// <summary>The body is large.</summary>
    Sizes,

    /// <summary>Attributes are missing, too long, or have unexpected values.</summary>
    Attributes,

    /// <summary>Headers are numerous, large, or have unusual names.</summary>
    Headers,

    /// <summary>The body is not JSON.</summary>
    Garbage,

    /// <summary>The message uses unusual forms of the wire format.</summary>
    WireFormat,

    /// <summary>
    /// Headers may crash the client: they are nested too deeply, too numerous, or of an unknown type.
    /// </summary>
    Hostile,

    /// <summary>The message repeats an earlier message.</summary>
    Copy,

    /// <summary>The message has the id of an earlier message and other content.</summary>
    Twin,
}
