namespace EventBus;

/// <summary>The kinds of outcomes of a delivery.</summary>
internal enum DeliveryStatus
{
    /// <summary>The handler has succeeded.</summary>
    Handled,

    /// <summary>The handler was not called: the event was handled before, or is too late to be relevant.</summary>
    Skipped,

    /// <summary>The handler, a guard or other code of the application failed.</summary>
    Failed,

    /// <summary>The event cannot be handled in this application.</summary>
    Rejected,

    /// <summary>A guard lets the event wait for an earlier one.</summary>
    Deferred,

    /// <summary>
    /// The bus is stopping, or another instance has taken over. The attempt does not count, and the event is
    /// redelivered.
    /// </summary>
    Interrupted,
}
