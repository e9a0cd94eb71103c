using EventBus.Transports;

namespace EventBus;

/// <summary>What is kept of an event whose key is no UUID, whose bytes are known, or whose handler published something.</summary>
/// <param name="Text">The key, where it is no UUID.</param>
/// <param name="Fingerprint">That of its content; 0 for unknown.</param>
/// <param name="Outbox">The events that its handler published, and that may not have been sent yet.</param>
internal sealed record ProcessedRest(string? Text, long Fingerprint, IReadOnlyList<Envelope> Outbox);
