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
    public SagaStepDefinition? Find(string name) => steps.FirstOrDefault(step => step.Name == name);

    /// <summary>Returns the step that follows another; null after the last step.</summary>
    /// <param name="previous">The name of a step of this saga; null for the first step.</param>
    public SagaStepDefinition? After(string? previous)
    {
        var index = previous is null ? 0 : steps.Index().First(step => step.Item.Name == previous).Index + 1;
        return index < steps.Count ? steps[index] : null;
    }
}
