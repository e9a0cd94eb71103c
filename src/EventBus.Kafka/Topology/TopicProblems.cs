using Confluent.Kafka;

namespace EventBus;

/// <summary>Describes what is wrong with a topic, and what to do.</summary>
internal static class TopicProblems
{
    private const string Provisioning = $"{nameof(KafkaOptions)}.{nameof(KafkaOptions.Provisioning)}";

    /// <summary>Describes a topic that is missing and that the bus must not create.</summary>
    public static string Missing(string topic, int partitions) =>
        $"The topic '{topic}' is missing. Create it (kafka-topics.sh --create --topic {topic} --partitions {partitions}); or let the bus "
            + $"do it with {Provisioning} = {nameof(KafkaProvisioning.Create)}; or name another topic with {nameof(KafkaOptions)}."
            + $"{nameof(KafkaOptions.Topics)}.";

    /// <summary>Describes a topic that this user may not see.</summary>
    public static string NotDescribed(string topic, Error error) => error.Code switch
    {
        ErrorCode.TopicAuthorizationFailed =>
            $"The topic '{topic}' is refused to this user: {KafkaErrors.CauseOf(error)} Grant the rights Describe, Read and Write; or set "
                + $"{Provisioning} = {nameof(KafkaProvisioning.Off)} if the user needs no right to describe it.",
        ErrorCode.TopicException => $"The cluster allows no topic of the name '{topic}': {KafkaErrors.CauseOf(error)} Change "
            + $"{nameof(KafkaOptions)}.{nameof(KafkaOptions.TopicFormat)} or {nameof(KafkaOptions.Topics)}.",
        _ => $"The topic '{topic}' cannot be checked: {KafkaErrors.CauseOf(error)}",
    };

    /// <summary>Describes why a topic was not created.</summary>
    public static string NotCreated(string topic, Error error, KafkaOptions options, int partitions)
    {
        var replication = options.ReplicationFactor is { } factor ? $"{factor}" : "the broker's default";
        var settings = $"{nameof(KafkaOptions)}.{nameof(KafkaOptions.Partitions)} = {partitions}, "
            + $"{nameof(KafkaOptions.ReplicationFactor)} = {replication}";
        var advice = error.Code switch
        {
            ErrorCode.InvalidReplicationFactor => options.ReplicationFactor is null
                ? $"Set {nameof(KafkaOptions)}.{nameof(KafkaOptions.ReplicationFactor)}: the brokers are fewer than their own default "
                    + "requires, or too old to have one."
                : $"Set {nameof(KafkaOptions)}.{nameof(KafkaOptions.ReplicationFactor)} to at most the number of brokers, or start more of "
                    + "them.",
            ErrorCode.TopicAuthorizationFailed or ErrorCode.ClusterAuthorizationFailed =>
                $"Grant this user the right Create; or create the topic, and set {Provisioning} = {nameof(KafkaProvisioning.Validate)}.",
            ErrorCode.PolicyViolation =>
                "A policy of the cluster forbids these settings. Change them; or create the topic: an existing one is used.",
            ErrorCode.InvalidPartitions => "Change the number of partitions.",
            _ => "Create the topic yourself, or change the settings: an existing topic is used.",
        };
        return $"The topic '{topic}' could not be created ({settings}): {KafkaErrors.CauseOf(error)} {advice}";
    }

    /// <summary>Describes a topic with fewer partitions than the options ask for.</summary>
    public static string FewPartitions(string topic, int partitions, int wanted) =>
        $"The topic '{topic}' has {partitions} partitions; {nameof(KafkaOptions)}.{nameof(KafkaOptions.Partitions)} is {wanted}. At most "
            + "as many instances as it has partitions receive its events at the same time. Set the option to the number of the topic; or "
            + $"add partitions while nothing is published (kafka-topics.sh --alter --topic {topic} --partitions {wanted}): its keys move "
            + "to other partitions, so that events of a key overtake those before.";

    /// <summary>Describes a replicated topic that accepts an event when one broker has it.</summary>
    public static string OneReplicaIsEnough(string topic) =>
        $"The topic '{topic}' accepts an event when one broker has it (min.insync.replicas is 1): if that broker is lost, so is the event. "
            + $"Set it to 2 (kafka-configs.sh --alter --topic {topic} --add-config min.insync.replicas=2).";

    /// <summary>Describes a topic that takes less at once than the client sends.</summary>
    public static string TakesLess(string topic, int maxBytes, int maxRecordBytes) =>
        $"The topic '{topic}' takes {maxBytes:N0} bytes at once (max.message.bytes), and the client sends up to {maxRecordBytes:N0} "
            + $"together ({nameof(KafkaOptions)}.{nameof(KafkaOptions.MaxRecordBytes)}): the broker refuses events that are sent together "
            + $"although each is small enough. Set the option to {maxBytes}, or raise the setting (kafka-configs.sh --alter --topic "
            + $"{topic} --add-config max.message.bytes={maxRecordBytes}).";

    /// <summary>Describes a topic whose number of partitions has changed while the bus runs.</summary>
    public static string PartitionsChanged(string topic, int before, int now) =>
        $"The topic '{topic}' has {now} partitions instead of {before}. Its keys have moved to other partitions, so that later events of "
            + "a key may have overtaken earlier ones.";
}
