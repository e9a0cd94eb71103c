namespace EventBus;

/// <summary>The behavior of a publish when a subscription is full.</summary>
public enum QueueFullMode
{
    /// <summary>The publish waits for room, at most as long as the publish timeout (back-pressure).</summary>
    Wait,

    /// <summary>The publish fails at once.</summary>
    Fail,
}
