namespace EventBus;

/// <summary>Specifies why a publish failed.</summary>
public enum PublishFailure
{
    /// <summary>
    /// The event violates a rule (size, headers, options), and publishing it again unchanged fails again; or the bus is
    /// not running. Nothing was sent.
    /// </summary>
    Rejected,

    /// <summary>The backend did not accept the event. Nothing was sent; publishing it again is safe.</summary>
    Failed,

    /// <summary>
    /// The backend did not answer: the event may have been delivered to some or all subscriptions. Publish it again
    /// with the same id.
    /// </summary>
    InDoubt,

    /// <summary>No subscription matches the event, and its type was declared with <c>RequireSubscriber()</c>.</summary>
    NoSubscriber,
}
