namespace EventBus;

/// <summary>Defines whether the bus creates or checks topics.</summary>
public enum KafkaProvisioning
{
    /// <summary>
    /// Creates missing topics. An existing topic is used as it is: its partitions and settings are not changed. At
    /// startup, a topic that cannot be created is an error.
    /// </summary>
    Create,

    /// <summary>Creates nothing. At startup, a topic that is missing is an error.</summary>
    Validate,

    /// <summary>Neither creates nor checks anything. All topics must already exist.</summary>
    Off,
}
