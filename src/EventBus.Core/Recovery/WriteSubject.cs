namespace EventBus;

/// <summary>The event that a write concerns.</summary>
/// <param name="Subscription">The subscription.</param>
/// <param name="EventName">The name of the event.</param>
/// <param name="EventId">The id of the event.</param>
/// <param name="Probe">
/// Checks with an unrelated call that the same store works; throws if not (<see cref="StoreProbe"/>).
/// </param>
internal readonly record struct WriteSubject(string Subscription, string EventName, string EventId, Func<CancellationToken, Task> Probe)
{
    /// <summary>
    /// True if the event is a delivery of the transport: while its write is held, the subscription takes no other
    /// deliveries. False for a claimed entry of the store, which blocks deliveries only while the store accepts no
    /// writes at all: no more entries are claimed than there are slots. Default true.
    /// </summary>
    public bool IsDelivery { get; init; } = true;

    /// <summary>
    /// True if the probe writes, so that its success shows that the store accepts writes. If false, only the store
    /// itself can report that an entry is at fault. Default true.
    /// </summary>
    public bool ProbeWrites { get; init; } = true;
}
