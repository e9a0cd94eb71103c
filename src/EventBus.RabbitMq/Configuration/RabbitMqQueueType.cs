namespace EventBus;

/// <summary>The kind of a subscription's queue.</summary>
public enum RabbitMqQueueType
{
    /// <summary>Replicated in a cluster, and counts deliveries: the kind that survives most.</summary>
    Quorum,

    /// <summary>On one node. Quicker at low latency on a single node.</summary>
    Classic,
}
