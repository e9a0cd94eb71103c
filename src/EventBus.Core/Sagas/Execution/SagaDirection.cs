namespace EventBus;

/// <summary>What a step does.</summary>
internal enum SagaDirection
{
    Execute,
    Compensate,
    Reply,
}
