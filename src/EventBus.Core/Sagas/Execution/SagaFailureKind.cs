namespace EventBus;

/// <summary>The kind of failure of an attempt of a step.</summary>
internal enum SagaFailureKind
{
    /// <summary>The attempt failed, and may be retried.</summary>
    Retryable,

    /// <summary>
    /// The exception means that the attempt had no effect (<c>RejectedBy</c>), and it is not retried.
    /// </summary>
    Rejected,

    /// <summary>The step failed because of too many interruptions, or without its reply, and is not retried.</summary>
    Final,
}
