namespace EventBus.Proof;

/// <summary>The kinds of faults.</summary>
internal enum FaultKind
{
    /// <summary>A process is killed with SIGKILL, and replaced by another one.</summary>
    Kill,

    /// <summary>A process is suspended for a while, and then continues.</summary>
    Freeze,

    /// <summary>The store does not answer for a while.</summary>
    Stall,
}
