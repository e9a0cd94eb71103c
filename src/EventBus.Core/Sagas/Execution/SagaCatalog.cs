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

    /// <summary>Gets a saga by the type of its state.</summary>
    /// <exception cref="ArgumentException">The application does not have it.</exception>
    public SagaRuntime Get(Type stateType) =>
        byName.Values.FirstOrDefault(saga => saga.Definition.Registration.StateType == stateType) ?? throw new ArgumentException(
            $"No saga has the state {stateType}. Register one: bus.AddSaga<TSaga, {stateType.Name}>().");
}
