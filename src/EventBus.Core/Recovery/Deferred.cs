namespace EventBus;

/// <summary>An order guard deferred the event; the handler was not called.</summary>
/// <param name="Stamp">The state of the key that the guard saw.</param>
/// <param name="Recheck">
/// The time after which the guard is called again, if no event of the key was handled earlier.
/// </param>
/// <param name="Timeout">The maximum total wait.</param>
internal sealed record Deferred(long Stamp, TimeSpan Recheck, TimeSpan Timeout) : Failure
{
    /// <summary>
    /// The time before which the event does not become a dead letter, even after its deadline: after a start or a
    /// pause, the event that it waits for may still be in transit.
    /// </summary>
    public DateTimeOffset EarliestDeadline { get; init; }
}
