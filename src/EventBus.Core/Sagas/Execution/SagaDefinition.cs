using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>Holds a validated saga: its steps in their order, with all defaults applied. Immutable.</summary>
internal sealed class SagaDefinition(
    SagaRegistration registration,
    int stateVersion,
    IReadOnlyList<SagaStepDefinition> steps,
    JsonTypeInfo json)
{
    public string Name => registration.Name;

    public SagaRegistration Registration => registration;

    public int StateVersion => stateVersion;

    public IReadOnlyList<SagaStepDefinition> Steps => steps;

    public JsonTypeInfo Json => json;

    /// <summary>Returns the name of the subscription that receives the replies of a saga.</summary>
    public static string SubscriptionOf(string saga) => $"saga.{saga}";

    /// <summary>Finds a step by its name; null if this application has no such step.</summary>
    public SagaStepDefinition? Find(string step) => steps.FirstOrDefault(own => own.Name == step);

    /// <summary>Returns the next step, the first step for null; null after the last.</summary>
    public SagaStepDefinition? After(string? step)
    {
        var position = step is null ? 0 : steps.Index().First(own => own.Item.Name == step).Index + 1;
        return position < steps.Count ? steps[position] : null;
    }
}
