using Confluent.Kafka;

namespace EventBus;

/// <summary>An event as it is sent.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Key">The key of the event; null for none.</param>
/// <param name="Message">The record.</param>
/// <param name="Size">The size of key and value in bytes, for the limit of what is outstanding.</param>
internal readonly record struct KafkaRecord(string Topic, string? Key, Message<byte[]?, byte[]> Message, int Size);
