namespace EventBus.Transports;

/// <summary>Specifies the kinds of <see cref="PublishOutcome"/>.</summary>
public enum PublishStatus : byte
{
    /// <summary>The event may have reached some or all subscriptions.</summary>
    InDoubt,

    /// <summary>The backend has accepted the event.</summary>
    Accepted,

    /// <summary>The backend accepted the event, but no subscription receives it.</summary>
    Unrouted,

    /// <summary>The event certainly reached no subscription; publishing it again may succeed.</summary>
    Failed,

    /// <summary>The event reached no subscription, and the backend can never accept it unchanged.</summary>
    Rejected,
}
