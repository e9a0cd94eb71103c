namespace EventBus.Kafka.Tests;

/// <summary>Kafka with the classic group protocol and the assignor that every client has.</summary>
public sealed class RangeBackend(PrivateBroker broker)
    : KafkaBackend("Kafka, range", KafkaGroupProtocol.Classic, KafkaAssignor.Range, broker);
