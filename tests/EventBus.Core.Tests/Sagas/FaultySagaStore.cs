using System.Collections.Concurrent;
using EventBus.Stores;

namespace EventBus.Sagas;

/// <summary>A saga store that refuses the writes that a test chooses.</summary>
internal sealed class FaultySagaStore(SagaStore inner, ConcurrentDictionary<string, ReadOnlyMemory<byte>> kept) : DelegatingSagaStore(inner)
{
    /// <summary>Called with an entry before it is saved. An exception becomes the failure of the store.</summary>
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
