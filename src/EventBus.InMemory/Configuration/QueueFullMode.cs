namespace EventBus;

/// <summary>The behavior of a publish outside of handlers when the queue of a subscription is full.</summary>
public enum QueueFullMode
{
    /// <summary>The publish waits for room, at most as long as the publish timeout (back-pressure).</summary>
    Wait,

    /// <summary>The publish fails at once.</summary>
    Fail,
}
