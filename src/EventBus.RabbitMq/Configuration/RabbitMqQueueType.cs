namespace EventBus;

/// <summary>The type of a subscription's queue.</summary>
public enum RabbitMqQueueType
{
    /// <summary>A quorum queue. Replicated in a cluster, and counts deliveries: the most fault-tolerant type.</summary>
    Quorum,

    /// <summary>A classic queue on one node. Has a lower latency on a single node.</summary>
    Classic,
}
