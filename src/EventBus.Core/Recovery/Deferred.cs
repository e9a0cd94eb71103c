namespace EventBus;

/// <summary>An order guard lets the event wait; no handler was started.</summary>
/// <param name="Stamp">What the guard saw of the key.</param>
/// <param name="Position">The event's number; null where the guard does not count.</param>
/// <param name="Recheck">When to ask again at the latest.</param>
/// <param name="Timeout">How long it may wait in all.</param>
internal sealed record Deferred(long Stamp, long? Position, TimeSpan Recheck, TimeSpan Timeout) : Failure
{
    /// <summary>Before this time it is not given up, whatever its deadline says: what it waits for had no chance to come.</summary>
    public DateTimeOffset NotGivenUpBefore { get; init; }
}
