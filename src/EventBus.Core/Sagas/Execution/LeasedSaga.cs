using System.Diagnostics.CodeAnalysis;
using EventBus.Stores;

namespace EventBus;

/// <summary>Holds the entry, the progress and the lease of a saga that this instance processes.</summary>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore without a wait handle has nothing to dispose.")]
internal sealed class LeasedSaga(SagaDefinition definition, SagaEntry entry, SagaProgress progress, DateTimeOffset leaseEnd)
    : Lease(leaseEnd)
{
    public SagaDefinition Definition => definition;

    public string Id => Entry.Id;

    /// <summary>The entry as it was last saved.</summary>
    public SagaEntry Entry { get; set; } = entry;

    /// <summary>The progress. It is changed and saved only under the <see cref="Gate"/>.</summary>
    public SagaProgress Progress => progress;

    /// <summary>Held by the step and by the renewal of the lease, one at a time, while they save the saga.</summary>
    public SemaphoreSlim Gate { get; } = new(1);

    /// <summary>True if the events in the outbox were sent. The next save removes them from the outbox.</summary>
    public bool IsDispatched { get; set; }
}
