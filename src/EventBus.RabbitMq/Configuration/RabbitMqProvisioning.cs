namespace EventBus;

/// <summary>What the bus does about exchanges, queues and bindings.</summary>
public enum RabbitMqProvisioning
{
    /// <summary>Creates what is missing. What exists with other arguments is an error at the start, which shows the difference.</summary>
    Create,

    /// <summary>Creates nothing. What is missing or has other arguments is an error at the start. The protocol does not show bindings: they are not checked.</summary>
    Validate,

    /// <summary>Neither creates nor checks: everything is there, made by somebody else.</summary>
    Off,
}
