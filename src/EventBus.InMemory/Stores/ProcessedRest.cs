using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Holds the additional data of an event whose key is not a UUID, whose fingerprint is known, or whose handler
/// published events.
/// </summary>
/// <param name="Text">The key, if it is not a UUID.</param>
/// <param name="Fingerprint">The fingerprint of its content; 0 for unknown.</param>
/// <param name="Outbox">The events that its handler published and that may not have been sent yet.</param>
internal sealed record ProcessedRest(string? Text, long Fingerprint, IReadOnlyList<Envelope> Outbox);
