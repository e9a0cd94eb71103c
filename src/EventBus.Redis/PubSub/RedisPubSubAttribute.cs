namespace EventBus;

/// <summary>The CloudEvents attributes that the bus uses.</summary>
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
