namespace EventBus;

/// <summary>The attributes of a CloudEvents object that mean something to the bus.</summary>
internal enum RedisPubSubAttribute
{
    SpecVersion,
    Id,
    Type,
    Source,
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
