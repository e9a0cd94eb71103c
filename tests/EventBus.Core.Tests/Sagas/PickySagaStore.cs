using System.Collections.Concurrent;
using EventBus.Stores;

namespace EventBus.Sagas;

/// <summary>A store of sagas that does not take what a test says.</summary>
internal sealed class PickySagaStore(SagaStore inner, ConcurrentDictionary<string, ReadOnlyMemory<byte>> kept) : DelegatingSagaStore(inner)
{
    /// <summary>Called with what is to be saved. What it throws is what the store throws.</summary>
    public Action<SagaEntry> Before { get; set; } = _ => { };

    public override ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        kept[entry.Id] = entry.Content;
        return base.CreateAsync(entry, cancellationToken);
    }

    public override ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        Before(entry);
        return base.SaveAsync(entry, cancellationToken);
    }
}
