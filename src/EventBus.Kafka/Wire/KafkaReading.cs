using EventBus.Transports;

namespace EventBus;

/// <summary>A record as it was read.</summary>
/// <param name="Envelope">The event. What is no event has a <see cref="Envelope.Defect"/>.</param>
/// <param name="Kind">What the record is.</param>
internal readonly record struct KafkaReading(Envelope Envelope, KafkaReadingKind Kind);
