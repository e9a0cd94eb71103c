using EventBus.Stores;

namespace EventBus;

/// <summary>A saga that this instance works on: what it knows of it, and its claim.</summary>
internal sealed class LeasedSaga(SagaRepository keeper, SagaDefinition definition, SagaEntry entry, SagaProgress progress, DateTimeOffset leaseEnd) : IDisposable
{
    private readonly CancellationTokenSource lost = new();

    public SagaDefinition Definition => definition;

    public string Id => Entry.Id;

    /// <summary>The entry as it was saved last.</summary>
    public SagaEntry Entry { get; set; } = entry;

    /// <summary>Changed and saved by one at a time: whoever has the <see cref="Gate"/>.</summary>
    public SagaProgress Progress => progress;

    public SemaphoreSlim Gate { get; } = new(1);

    /// <summary>When others may take it over.</summary>
    public DateTimeOffset LeaseEnd { get; set; } = leaseEnd;

    /// <summary>What is in the outbox was sent.</summary>
    public bool IsDispatched { get; set; }

    /// <summary>Cancelled when another instance may have taken over.</summary>
    public CancellationToken Lost => lost.Token;

    /// <summary>The renewal of its lease that was begun last.</summary>
    public Task Renewing { get; set; } = Task.CompletedTask;

    public void Lose() => lost.CancelAsync().Observed();

    /// <summary>Lets it go. The source of <see cref="Lost"/> is left to the collector: its callbacks may be running.</summary>
    public void Dispose() => keeper.LetGo(this);
}
