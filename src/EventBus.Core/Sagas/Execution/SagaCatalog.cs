using System.Collections.Frozen;

namespace EventBus;

/// <summary>Contains the sagas of a bus. Immutable.</summary>
internal sealed class SagaCatalog(IEnumerable<SagaRuntime> sagas)
{
    private readonly FrozenDictionary<string, SagaRuntime> byName = sagas.ToFrozenDictionary(
        saga => saga.Definition.Name,
        StringComparer.Ordinal);

    public IReadOnlyList<string> Names => byName.Keys;

    /// <summary>Gets a saga that the application has, by its name.</summary>
    public SagaRuntime this[string name] => byName[name];

    /// <summary>Finds a saga by its name; null if the application has no such saga.</summary>
    public SagaRuntime? Find(string name) => byName.GetValueOrDefault(name);

    /// <summary>Gets a saga by the type of its state.</summary>
    /// <exception cref="ArgumentException">The application has no saga with this type of state.</exception>
    public SagaRuntime Get(Type stateType) =>
        byName.Values.FirstOrDefault(saga => saga.Definition.Registration.StateType == stateType) ?? throw new ArgumentException(
            $"No saga has the state {stateType}. Register one: bus.AddSaga<TSaga, {stateType.Name}>().");
}
