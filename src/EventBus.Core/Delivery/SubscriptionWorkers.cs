using System.Diagnostics.CodeAnalysis;

namespace EventBus;

/// <summary>
/// Contains the workers of a bus. Filled while the bus starts, before the first worker starts; immutable from then on.
/// </summary>
internal sealed class SubscriptionWorkers
{
    private readonly Dictionary<string, SubscriptionWorker> workers = new(StringComparer.Ordinal);

    public int Count => workers.Count;

    public IReadOnlyCollection<SubscriptionWorker> All => workers.Values;

    public SubscriptionWorker this[string subscription] => workers[subscription];

    /// <summary>Finds the worker of a subscription; false if this instance does not consume it.</summary>
    public bool TryGet(string subscription, [NotNullWhen(true)] out SubscriptionWorker? worker) =>
        workers.TryGetValue(subscription, out worker);

    public void Add(SubscriptionWorker worker) => workers.Add(worker.Name, worker);
}
