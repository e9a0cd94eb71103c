namespace EventBus.Kafka.Tests;

/// <summary>Kafka with the group protocol of KIP-848.</summary>
public sealed class ConsumerProtocolBackend(PrivateBroker broker)
    : KafkaBackend("Kafka, KIP-848", KafkaGroupProtocol.Consumer, KafkaAssignor.CooperativeSticky, broker);
