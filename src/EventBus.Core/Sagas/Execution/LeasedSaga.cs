using System.Diagnostics.CodeAnalysis;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Represents a saga that this instance processes: its entry, its progress and its lease.</summary>
[SuppressMessage("Design", "CA1001", Justification = "The callbacks of the token may be running, and the gate holds nothing to dispose.")]
internal sealed class LeasedSaga(SagaDefinition definition, SagaEntry entry, SagaProgress progress, DateTimeOffset leaseEnd)
{
    private readonly CancellationTokenSource lost = new();

    public SagaDefinition Definition => definition;

    public string Id => Entry.Id;

    /// <summary>The entry as it was last saved.</summary>
    public SagaEntry Entry { get; set; } = entry;

    /// <summary>The progress. Only the holder of the <see cref="Gate"/> changes and saves it.</summary>
    public SagaProgress Progress => progress;

    public SemaphoreSlim Gate { get; } = new(1);

    /// <summary>The time from which other instances may claim the saga.</summary>
    public DateTimeOffset LeaseEnd { get; set; } = leaseEnd;

    /// <summary>True if the events in the outbox were sent.</summary>
    public bool IsDispatched { get; set; }

    /// <summary>Cancelled when another instance may have claimed the saga.</summary>
    public CancellationToken Lost => lost.Token;

    /// <summary>The most recent renewal of the lease.</summary>
    public Task Renewing { get; set; } = Task.CompletedTask;

    public void Lose() => lost.CancelAsync().Observed();
}
