using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Holds the data of a handled event that not every event has. It exists only if the key is not a UUID, the fingerprint
/// is known, or the handler published events.
/// </summary>
/// <param name="Text">The key, if it is not a UUID; otherwise null.</param>
/// <param name="Fingerprint">The fingerprint of the event's content; 0 for unknown.</param>
/// <param name="Outbox">The events that the handler published and that may not have been sent yet.</param>
internal sealed record ProcessedDetails(string? Text, long Fingerprint, IReadOnlyList<Envelope> Outbox);
