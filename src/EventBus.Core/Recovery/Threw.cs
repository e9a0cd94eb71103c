namespace EventBus;

/// <summary>The handler threw, or did not end in time.</summary>
internal sealed record Threw(Exception Exception) : Failure
{
    /// <summary>It uses up a start of the event's budget. Not while its subscription is paused because everything fails.</summary>
    public bool Counts { get; init; } = true;
}
