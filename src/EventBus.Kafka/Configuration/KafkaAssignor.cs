namespace EventBus;

/// <summary>The rule by which the classic protocol assigns partitions to the members of a consumer group.</summary>
public enum KafkaAssignor
{
    /// <summary>
    /// Members keep their partitions when others join or leave. Programs in other languages can join the group only if
    /// they have the same assignor.
    /// </summary>
    CooperativeSticky,

    /// <summary>All members give up all partitions when one joins or leaves. Every client has it.</summary>
    Range,
}
