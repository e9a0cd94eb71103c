using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>Holds a validated step of a saga. Immutable.</summary>
internal sealed class SagaStepDefinition(
    SagaStepRegistration registration,
    RetryPolicy execution,
    RetryPolicy compensation,
    TimeSpan timeout)
{
    public string Name => registration.Name;

    public bool HasCompensation => registration.HasCompensation;

    public bool IsPivot => registration.IsPivot;

    public bool HasWaitKey => registration.HasWaitKey;

    public TimeSpan Timeout => timeout;

    public TimeSpan ReplyTimeout => registration.ReplyTimeout;

    /// <summary>The name of the event that it waits for; null for none.</summary>
    public string? ReplyName { get; init; }

    /// <summary>The type information of that event.</summary>
    public JsonTypeInfo? ReplyJson { get; init; }

    public RetryPolicy RetryOf(SagaDirection direction) => direction == SagaDirection.Compensate ? compensation : execution;

    /// <summary>True if the exception means that the step had no effect.</summary>
    public bool IsRejection(Exception exception) =>
        RetryPolicy.Unwrap(exception).Any(each => registration.IsRejection.Exists(test => test(each)));
}
