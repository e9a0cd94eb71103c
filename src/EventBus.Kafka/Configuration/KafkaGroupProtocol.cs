namespace EventBus;

/// <summary>The protocol by which the members of a consumer group share its partitions.</summary>
public enum KafkaGroupProtocol
{
    /// <summary>The classic protocol: one member computes the assignment. Every broker has it.</summary>
    Classic,

    /// <summary>The protocol of KIP-848: the broker computes the assignment. Needs Kafka 4.0 or later.</summary>
    Consumer,
}
