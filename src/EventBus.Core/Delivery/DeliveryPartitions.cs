using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Distributes the deliveries of an ordered subscription to partitions by key. One caller adds, and one caller reads
/// each partition.
/// </summary>
/// <param name="count">The number of partitions.</param>
internal sealed class DeliveryPartitions(int count)
{
    private const int Capacity = 64;

    private readonly Channel<Delivery>[] partitions =
        [.. Enumerable.Range(0, count).Select(_ => Channel.CreateBounded<Delivery>(
            new BoundedChannelOptions(Capacity) { SingleReader = true, SingleWriter = true }))];

    /// <summary>The readers of the partitions, in their order.</summary>
    public IEnumerable<ChannelReader<Delivery>> Readers => partitions.Select(partition => partition.Reader);

    /// <summary>
    /// Adds a delivery to its partition. When the partition is full, waits for it, so that memory is bounded and the
    /// order of the transport is kept.
    /// </summary>
    public ValueTask AddAsync(in Delivery delivery)
    {
        var partition = partitions[PartitionOf(delivery.Envelope)].Writer;
        return partition.TryWrite(delivery) ? ValueTask.CompletedTask : partition.WriteAsync(delivery);
    }

    /// <summary>Completes all partitions: no more deliveries follow.</summary>
    public void Complete()
    {
        foreach (var partition in partitions)
        {
            partition.Writer.Complete();
        }
    }

    /// <summary>
    /// Gets the partition of an event. Hashes its key with FNV-1a (Fowler, Noll, Vo; 32 bits) over the characters:
    /// unlike the randomized string hash, it gives the same partition in every process.
    /// </summary>
    public int PartitionOf(Envelope envelope)
    {
        var hash = 2_166_136_261u;
        foreach (var c in envelope.Key ?? "")
        {
            hash = (hash ^ c) * 16_777_619u;
        }

        return (int)(hash % (uint)partitions.Length);
    }
}
