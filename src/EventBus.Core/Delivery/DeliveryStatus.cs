namespace EventBus;

/// <summary>The kinds of outcomes of a delivery.</summary>
internal enum DeliveryStatus
{
    /// <summary>The handler has succeeded.</summary>
    Handled,

    /// <summary>The handler was not called: the event was handled before, or is too late to be relevant.</summary>
    Skipped,

    /// <summary>
    /// The handler or other code of the application failed, or its follow-up events could not be sent.
    /// </summary>
    Failed,

    /// <summary>The event cannot be handled, and a retry would not change that: it becomes a dead letter.</summary>
    Rejected,

    /// <summary>A guard lets the event wait for an earlier one.</summary>
    Deferred,

    /// <summary>
    /// Another attempt holds the claim of the event, and may have ended with its process: the event waits in the store.
    /// </summary>
    ClaimedElsewhere,

    /// <summary>
    /// The bus is stopping, another instance has taken over, or another attempt handles the event. This attempt does
    /// not count, and the event is redelivered.
    /// </summary>
    Interrupted,
}
