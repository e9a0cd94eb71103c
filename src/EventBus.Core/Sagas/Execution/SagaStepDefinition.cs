using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>Holds a validated step of a saga. Immutable.</summary>
internal sealed class SagaStepDefinition(
    SagaStepRegistration registration,
    RetryPolicy executionRetry,
    RetryPolicy compensationRetry,
    TimeSpan timeout)
{
    public string Name => registration.Name;

    public bool HasCompensation => registration.HasCompensation;

    public bool IsPivot => registration.IsPivot;

    public bool HasWaitKey => registration.HasWaitKey;

    public TimeSpan Timeout => timeout;

    public TimeSpan ReplyTimeout => registration.ReplyTimeout;

    /// <summary>The name of the reply event that the step waits for; null for none.</summary>
    public string? ReplyName { get; init; }

    /// <summary>The type information of the reply event; null for none.</summary>
    public JsonTypeInfo? ReplyJson { get; init; }

    public RetryPolicy RetryOf(SagaDirection direction) =>
        direction == SagaDirection.Compensate ? compensationRetry : executionRetry;

    /// <summary>True if the exception means that the step had no effect.</summary>
    public bool IsRejection(Exception exception) =>
        RetryPolicy.Unwrap(exception).Any(each => registration.RejectionPredicates.Exists(isRejection => isRejection(each)));
}
