namespace EventBus.Transports;

/// <summary>
/// Counts the work that a transport has accepted and finished, so that the bus can wait until it is idle.
/// </summary>
/// <param name="Accepted">
/// The number of deliveries accepted since the start, one for each subscription of an event.
/// </param>
/// <param name="Settled">The number of deliveries acknowledged since the start.</param>
public readonly record struct TransportWork(long Accepted, long Settled);
