namespace EventBus.Kafka.Tests;

/// <summary>Kafka with the classic group protocol and the cooperative assignor, the default.</summary>
public sealed class CooperativeBackend(PrivateBroker broker)
    : KafkaBackend("Kafka", KafkaGroupProtocol.Classic, KafkaAssignor.CooperativeSticky, broker);
