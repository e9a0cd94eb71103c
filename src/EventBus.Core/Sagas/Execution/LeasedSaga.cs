using System.Diagnostics.CodeAnalysis;
using EventBus.Stores;

namespace EventBus;

/// <summary>Represents a saga that this instance processes: its entry, its progress and its lease.</summary>
[SuppressMessage("Design", "CA1001", Justification = "The gate holds nothing to dispose.")]
internal sealed class LeasedSaga(SagaDefinition definition, SagaEntry entry, SagaProgress progress, DateTimeOffset leaseEnd)
    : Lease(leaseEnd)
{
    public SagaDefinition Definition => definition;

    public string Id => Entry.Id;

    /// <summary>The entry as it was last saved.</summary>
    public SagaEntry Entry { get; set; } = entry;

    /// <summary>The progress. Only the holder of the <see cref="Gate"/> changes and saves it.</summary>
    public SagaProgress Progress => progress;

    public SemaphoreSlim Gate { get; } = new(1);

    /// <summary>True if the events in the outbox were sent.</summary>
    public bool IsDispatched { get; set; }
}
