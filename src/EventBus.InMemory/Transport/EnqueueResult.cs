namespace EventBus;

/// <summary>The result of an attempt to enqueue.</summary>
internal enum EnqueueResult
{
    /// <summary>The event is in the queue.</summary>
    Done,

    /// <summary>There is no room.</summary>
    Full,

    /// <summary>The subscription has stopped.</summary>
    Stopped,
}
