namespace EventBus;

/// <summary>The handler threw an exception, or did not end in time.</summary>
internal sealed record Threw(Exception Exception) : Failure
{
    /// <summary>
    /// True if it counts as an attempt. False while the subscription is paused because all its attempts fail.
    /// </summary>
    public bool Counts { get; init; } = true;
}
