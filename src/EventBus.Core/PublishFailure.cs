namespace EventBus;

/// <summary>How a publish failed.</summary>
public enum PublishFailure
{
    /// <summary>Refused by a rule (size, headers, options, not started): publishing it again unchanged fails again. Nothing was sent.</summary>
    Rejected,

    /// <summary>Not accepted by the backend. Nothing was sent; publishing it again is safe.</summary>
    Failed,

    /// <summary>The backend's answer is missing: the event may have been delivered to some or all subscriptions. Publish it again with the same id.</summary>
    InDoubt,

    /// <summary>No subscription listens for it, and its type was declared with <c>RequireSubscriber()</c>.</summary>
    NoSubscriber,
}
