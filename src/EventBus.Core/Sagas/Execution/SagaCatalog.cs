using System.Collections.Frozen;

namespace EventBus;

/// <summary>Contains the sagas of a bus. Immutable.</summary>
internal sealed class SagaCatalog(IEnumerable<SagaRuntime> sagas)
{
    private readonly FrozenDictionary<string, SagaRuntime> byName = sagas.ToFrozenDictionary(
        saga => saga.Definition.Name,
        StringComparer.Ordinal);

    public IReadOnlyList<string> Names => byName.Keys;

    public SagaRuntime this[string name] => byName[name];

    /// <summary>Finds a saga by its name; null if the application does not have it.</summary>
    public SagaRuntime? Find(string name) => byName.GetValueOrDefault(name);

    /// <summary>Finds a saga by the type of its state; null if the application does not have it.</summary>
    public SagaRuntime? Find(Type stateType) => byName.Values.FirstOrDefault(saga => saga.Definition.Model.StateType == stateType);
}
