namespace EventBus.Transports;

/// <summary>How much work a transport has taken and finished, for waiting until it is idle.</summary>
/// <param name="Accepted">Deliveries accepted since the start, one for each subscription of an event.</param>
/// <param name="Settled">Deliveries acknowledged since the start.</param>
public readonly record struct TransportWork(long Accepted, long Settled);
