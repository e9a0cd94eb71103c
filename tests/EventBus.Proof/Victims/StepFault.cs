namespace EventBus.Proof;

/// <summary>The fault of an attempt of a step of a saga.</summary>
internal enum StepFault
{
    None,

    /// <summary>The service rejects the call.</summary>
    Rejected,

    /// <summary>The step fails, and the service executed nothing.</summary>
    Fails,

    /// <summary>The step fails, and the service executed the call.</summary>
    FailsLate,

    /// <summary>The service executes the call and never answers.</summary>
    Hangs,
}
