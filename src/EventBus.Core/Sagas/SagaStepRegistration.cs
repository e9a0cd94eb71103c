namespace EventBus;

/// <summary>Holds what a saga declares about one step, without the types of the saga.</summary>
internal sealed class SagaStepRegistration(string name, bool hasCompensation, bool isPivot)
{
    public string Name => name;

    public bool HasCompensation => hasCompensation;

    public bool IsPivot => isPivot;

    /// <summary>The retries of the execution. Values that are not set are taken from the bus.</summary>
    public RetryOptions Retry { get; set; } = new();

    /// <summary>The retries of the compensation; null for those of the bus.</summary>
    public RetryOptions? RetryCompensation { get; set; }

    /// <summary>The timeout of an attempt; null for <see cref="SagaOptions.StepTimeout"/>.</summary>
    public TimeSpan? Timeout { get; set; }

    /// <summary>The type of the reply that the step waits for; null for none.</summary>
    public Type? ReplyType { get; set; }

    public TimeSpan ReplyTimeout { get; set; }

    /// <summary>True if the reply is matched by a key of the saga's own instead of the saga's id.</summary>
    public bool HasWaitKey { get; set; }

    /// <summary>Each returns true for the exceptions that mean that the step had no effect.</summary>
    public List<Func<Exception, bool>> RejectionPredicates { get; } = [];

    /// <summary>Each returns true for the exceptions after which the step is not retried.</summary>
    public List<Func<Exception, bool>> PermanentPredicates { get; } = [];
}
