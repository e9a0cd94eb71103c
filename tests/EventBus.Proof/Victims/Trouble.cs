namespace EventBus.Proof;

/// <summary>The fault of one step of a saga, at each execution.</summary>
internal enum Trouble
{
    None,

    /// <summary>The service says no.</summary>
    Rejected,

    /// <summary>The step fails, and the service did nothing.</summary>
    Fails,

    /// <summary>The step fails, and the service did what was requested.</summary>
    FailsLate,

    /// <summary>The service did what was asked for and never answers.</summary>
    Hangs,
}
