namespace EventBus;

/// <summary>Defines whether the bus creates or checks exchanges, queues and bindings.</summary>
public enum RabbitMqProvisioning
{
    /// <summary>
    /// Creates missing entities. At startup, an entity that exists with other arguments is an error that shows the
    /// difference.
    /// </summary>
    Create,

    /// <summary>
    /// Creates nothing. At startup, an entity that is missing or has other arguments is an error. Arguments are checked
    /// only if the user may configure the entity. Bindings are not checked, because AMQP cannot list them.
    /// </summary>
    Validate,

    /// <summary>Neither creates nor checks anything. All entities must already exist.</summary>
    Off,
}
