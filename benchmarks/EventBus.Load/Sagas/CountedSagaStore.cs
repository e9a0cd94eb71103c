using EventBus.Stores;

namespace EventBus.Load;

/// <summary>A saga store that counts its writes.</summary>
internal sealed class CountedSagaStore(SagaStore inner) : DelegatingSagaStore(inner)
{
    private long writes;
    private long bytes;

    public long Writes => Interlocked.Read(ref writes);

    public long Bytes => Interlocked.Read(ref bytes);

    public override ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        Count(entry);
        return base.CreateAsync(entry, cancellationToken);
    }

    public override ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        Count(entry);
        return base.SaveAsync(entry, cancellationToken);
    }

    private void Count(SagaEntry entry)
    {
        Interlocked.Increment(ref writes);
        Interlocked.Add(ref bytes, entry.Content.Length);
    }
}
