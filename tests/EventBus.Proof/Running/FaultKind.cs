namespace EventBus.Proof;

/// <summary>The kinds of faults.</summary>
internal enum FaultKind
{
    /// <summary>SIGKILL of a process; another takes its place.</summary>
    Kill,

    /// <summary>A process is suspended for a while, and then continues.</summary>
    Freeze,

    /// <summary>The store does not answer for a while.</summary>
    Stall,
}
