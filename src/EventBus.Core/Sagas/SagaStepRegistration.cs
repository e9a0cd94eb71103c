namespace EventBus;

/// <summary>Holds the declaration of a step that does not depend on the types of its saga.</summary>
internal sealed class SagaStepRegistration(string name, bool hasCompensation, bool isPivot)
{
    public string Name => name;

    public bool HasCompensation => hasCompensation;

    public bool IsPivot => isPivot;

    public RetryOptions Retry { get; set; } = new();

    /// <summary>The retries of the compensation; null if the saga does not set them.</summary>
    public RetryOptions? RetryCompensation { get; set; }

    public TimeSpan? Timeout { get; set; }

    public Type? ReplyType { get; set; }

    public TimeSpan ReplyTimeout { get; set; }

    public bool HasWaitKey { get; set; }

    public List<Func<Exception, bool>> IsRejection { get; } = [];

    public List<Func<Exception, bool>> IsPermanent { get; } = [];
}
