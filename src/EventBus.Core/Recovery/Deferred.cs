namespace EventBus;

/// <summary>An order guard deferred the event; the handler was not called.</summary>
/// <param name="Stamp">The state of the key that the guard saw.</param>
/// <param name="Recheck">The time after which to ask the guard again at the latest.</param>
/// <param name="Timeout">The maximum total wait.</param>
internal sealed record Deferred(long Stamp, TimeSpan Recheck, TimeSpan Timeout) : Failure
{
    /// <summary>
    /// The time before which the event is not given up, even after its deadline: the event that it waits for could not
    /// arrive until then.
    /// </summary>
    public DateTimeOffset EarliestDeadline { get; init; }
}
