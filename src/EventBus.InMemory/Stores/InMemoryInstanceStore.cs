using EventBus.Stores;

namespace EventBus;

/// <summary>Reports one instance per subscription, because in-memory stores belong to a single bus.</summary>
internal sealed class InMemoryInstanceStore : InstanceStore
{
    public override ValueTask<IReadOnlyDictionary<string, int>> RecordAsync(
        string instance,
        IReadOnlyCollection<string> subscriptions,
        DateTimeOffset now,
        TimeSpan validFor,
        CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyDictionary<string, int>>(
            subscriptions.ToDictionary(subscription => subscription, _ => 1, StringComparer.Ordinal));

    public override ValueTask ForgetAsync(string instance, CancellationToken cancellationToken) => ValueTask.CompletedTask;
}
