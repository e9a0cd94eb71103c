using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>A saga that was checked at the start: its steps in their order, with all that was left to the defaults filled in. Immutable.</summary>
internal sealed class SagaDefinition(SagaModel model, int stateVersion, IReadOnlyList<SagaStep> steps, JsonTypeInfo json)
{
    public string Name => model.Name;

    public SagaModel Model => model;

    public int StateVersion => stateVersion;

    public IReadOnlyList<SagaStep> Steps => steps;

    public JsonTypeInfo Json => json;

    /// <summary>The name of the subscription through which its replies come.</summary>
    public static string SubscriptionOf(string saga) => $"saga.{saga}";

    /// <summary>Null when this application knows no step of that name (any more).</summary>
    public SagaStep? Find(string step) => steps.FirstOrDefault(own => own.Name == step);

    /// <summary>The step that follows; null after the last.</summary>
    public SagaStep? After(string? step)
    {
        var position = step is null ? 0 : steps.Index().First(own => own.Item.Name == step).Index + 1;
        return position < steps.Count ? steps[position] : null;
    }
}

/// <summary>One step of a saga as it was checked at the start. Immutable.</summary>
internal sealed class SagaStep(SagaStepModel model, RetryPolicy execution, RetryPolicy compensation, TimeSpan timeout)
{
    public string Name => model.Name;

    public bool HasCompensation => model.HasCompensation;

    public bool IsPivot => model.IsPivot;

    public bool HasWaitKey => model.HasWaitKey;

    public TimeSpan Timeout => timeout;

    public TimeSpan ReplyTimeout => model.ReplyTimeout;

    /// <summary>The name of the event that it waits for; null for none.</summary>
    public string? ReplyName { get; init; }

    /// <summary>How that event is written.</summary>
    public JsonTypeInfo? ReplyJson { get; init; }

    public RetryPolicy RetryOf(SagaDirection direction) => direction == SagaDirection.Compensate ? compensation : execution;

    /// <summary>The exception means that the step had no effect.</summary>
    public bool IsRejection(Exception exception) => RetryPolicy.Unwrap(exception).Any(each => model.IsRejection.Exists(test => test(each)));
}
