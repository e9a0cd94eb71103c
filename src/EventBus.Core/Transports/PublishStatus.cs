namespace EventBus.Transports;

/// <summary>The kinds of <see cref="PublishOutcome"/>.</summary>
public enum PublishStatus : byte
{
    /// <summary>It may have reached some or all subscriptions.</summary>
    InDoubt,

    /// <summary>The backend has it.</summary>
    Accepted,

    /// <summary>The backend took it, and nobody listens.</summary>
    Unrouted,

    /// <summary>It certainly reached nobody, and may do so later.</summary>
    Failed,

    /// <summary>It reached nobody, and never will as it is.</summary>
    Rejected,
}
