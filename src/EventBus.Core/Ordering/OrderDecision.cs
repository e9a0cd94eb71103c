namespace EventBus;

/// <summary>What an order guard says of an event.</summary>
public enum OrderDecision
{
    /// <summary>It is its turn: start the handler.</summary>
    Proceed,

    /// <summary>An earlier event of its key is missing: let it wait.</summary>
    Defer,

    /// <summary>It comes too late to mean anything: acknowledge it without starting the handler.</summary>
    Skip,
}
