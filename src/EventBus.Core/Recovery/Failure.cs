namespace EventBus;

/// <summary>The reason why a delivery was not handled.</summary>
internal abstract record Failure
{
    /// <summary>The event's number within its key, if an order guard uses numbers; otherwise null.</summary>
    public long? Position { get; init; }
}
