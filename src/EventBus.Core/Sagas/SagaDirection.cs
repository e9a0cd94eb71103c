namespace EventBus;

/// <summary>The kind of operation that an attempt of a step performs.</summary>
internal enum SagaDirection
{
    /// <summary>The attempt executes the step.</summary>
    Execute,

    /// <summary>The attempt compensates the step.</summary>
    Compensate,

    /// <summary>The attempt processes the reply that the executed step has waited for.</summary>
    Reply,
}
