namespace EventBus;

/// <summary>The kind of operation that an attempt of a step performs.</summary>
internal enum SagaDirection
{
    Execute,
    Compensate,
    Reply,
}
