using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>A saga that was checked at the start: its steps in their order, with all that was left to the defaults filled in. Immutable.</summary>
internal sealed class SagaDefinition(SagaRegistration model, int stateVersion, IReadOnlyList<SagaStepDefinition> steps, JsonTypeInfo json)
{
    public string Name => model.Name;

    public SagaRegistration Model => model;

    public int StateVersion => stateVersion;

    public IReadOnlyList<SagaStepDefinition> Steps => steps;

    public JsonTypeInfo Json => json;

    /// <summary>The name of the subscription through which its replies come.</summary>
    public static string SubscriptionOf(string saga) => $"saga.{saga}";

    /// <summary>Null when this application knows no step of that name (any more).</summary>
    public SagaStepDefinition? Find(string step) => steps.FirstOrDefault(own => own.Name == step);

    /// <summary>The step that follows; null after the last.</summary>
    public SagaStepDefinition? After(string? step)
    {
        var position = step is null ? 0 : steps.Index().First(own => own.Item.Name == step).Index + 1;
        return position < steps.Count ? steps[position] : null;
    }
}
