namespace EventBus;

/// <summary>The decision of an order guard.</summary>
public enum OrderDecision
{
    /// <summary>Handle the event now.</summary>
    Proceed,

    /// <summary>An earlier event of the key is missing: wait.</summary>
    Defer,

    /// <summary>The event comes too late to be relevant: acknowledge it without handling it.</summary>
    Skip,
}
