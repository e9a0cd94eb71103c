namespace EventBus;

/// <summary>The CloudEvents attributes that the bus uses. All other attributes are headers of the user.</summary>
internal enum RedisPubSubAttribute
{
    SpecVersion,
    Id,
    Type,
    Source,
    Time,
    ContentType,
    Key,
    Subject,
    CorrelationId,
    CausationId,
    DerivedId,
    TraceParent,
    TraceState,
    Version,
}
