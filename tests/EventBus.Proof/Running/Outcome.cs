namespace EventBus.Proof;

/// <summary>The publisher's outcome of an event.</summary>
internal enum Outcome : byte
{
    /// <summary>The event was not published.</summary>
    None,

    /// <summary>The backend has accepted the event.</summary>
    Accepted,

    /// <summary>The event was certainly not sent.</summary>
    Failed,

    /// <summary>The outcome is unknown.</summary>
    InDoubt,
}
