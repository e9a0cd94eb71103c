namespace EventBus;

/// <summary>The kind of failure of an attempt.</summary>
internal enum SagaAttemptEnding
{
    /// <summary>A failure that may be retried.</summary>
    Failed,

    /// <summary>A rejection: the called service reports that it had no effect.</summary>
    Refused,

    /// <summary>A failure that is not retried.</summary>
    Final,
}
