namespace EventBus;

/// <summary>The reason why a delivery was not handled.</summary>
internal abstract record Failure
{
    /// <summary>The number of the event; null if no guard counts.</summary>
    public long? Position { get; init; }
}
