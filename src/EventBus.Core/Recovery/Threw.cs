namespace EventBus;

/// <summary>The handler threw an exception, or exceeded its timeout.</summary>
internal sealed record Threw(Exception Exception) : Failure
{
    /// <summary>
    /// True if the failure uses one of the attempts of the event. False while the circuit breaker of the subscription
    /// is open. Default true.
    /// </summary>
    public bool Counts { get; init; } = true;
}
