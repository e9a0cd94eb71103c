namespace EventBus;

/// <summary>What a publisher does when a subscription is full.</summary>
public enum QueueFullMode
{
    /// <summary>It waits for room, at most as long as the publish time-out: back-pressure.</summary>
    Wait,

    /// <summary>The publish fails at once.</summary>
    Fail,
}
