namespace EventBus.Proof;

/// <summary>The kinds of fuzz messages.</summary>
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

    /// <summary>Oddities of the wire format.</summary>
    WireFormat,

    /// <summary>Headers that the client may not survive: nested too deeply, too many, or of an unknown type.</summary>
    Hostile,

    /// <summary>An earlier message once more.</summary>
    Copy,

    /// <summary>The id of an earlier message, and other content.</summary>
    Twin,
}
