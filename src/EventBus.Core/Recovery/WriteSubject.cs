namespace EventBus;

/// <summary>What a write is about.</summary>
/// <param name="Subscription">The subscription.</param>
/// <param name="EventName">The event's name.</param>
/// <param name="EventId">The event's id.</param>
/// <param name="Probe">Writes something unrelated to the same store, and removes it again.</param>
internal readonly record struct WriteSubject(string Subscription, string EventName, string EventId, Func<CancellationToken, Task> Probe)
{
    /// <summary>The event is a delivery of the transport: while its write is held, the subscription takes no others. Otherwise it is an entry of the store, of which no more are claimed than can run. Default true.</summary>
    public bool IsDelivery { get; init; } = true;

    /// <summary>The probe writes, so that its success says that the store takes writes. Otherwise only the store itself can say that an entry is at fault. Default true.</summary>
    public bool ProbeWrites { get; init; } = true;
}
