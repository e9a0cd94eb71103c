using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>The answer to a claim.</summary>
/// <param name="State">Whether the caller may handle it.</param>
/// <param name="Fence">The claim's number when new: higher than every earlier claim of the same key, so that a resource can refuse an older one. Otherwise 0.</param>
/// <param name="Fingerprint">The content's fingerprint that was kept with the key.</param>
/// <param name="Outbox">When done: the events that its handler published and that may not have been sent yet; empty for none.</param>
public readonly record struct ProcessedClaim(ProcessedState State, long Fence, long Fingerprint, IReadOnlyList<Envelope> Outbox);
