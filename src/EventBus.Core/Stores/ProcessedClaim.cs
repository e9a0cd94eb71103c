using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>Represents the result of <see cref="ProcessedEventStore.ClaimAsync"/>.</summary>
/// <param name="State">
/// The state of the key. The caller may handle the event only if it is <see cref="ProcessedState.New"/>.
/// </param>
/// <param name="FencingToken">
/// The fencing token of a new claim: higher than that of every earlier claim of the key, so that a resource can refuse
/// an older claim. Otherwise 0.
/// </param>
/// <param name="Fingerprint">The fingerprint of the content that is stored with the key.</param>
/// <param name="Outbox">
/// If the event is done: the events that its handler published and that may not have been sent yet; empty for none.
/// </param>
public readonly record struct ProcessedClaim(ProcessedState State, long FencingToken, long Fingerprint, IReadOnlyList<Envelope> Outbox);
