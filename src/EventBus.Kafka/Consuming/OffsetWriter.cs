using Confluent.Kafka;

namespace EventBus;

/// <summary>
/// Stores positions in the client, which commits them for the group every half second, and when a partition is given
/// away. Only the poll thread uses it.
/// </summary>
internal sealed class OffsetWriter(UnackedRecords records, TimeProvider time)
{
    // More often than the client commits, and rarely enough that it costs nothing.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private long storedAt = time.GetTimestamp();

    /// <summary>Stores the watermarks that have moved, if it is time.</summary>
    public void StoreIfDue(IConsumer<byte[]?, byte[]?> consumer)
    {
        if (time.GetElapsedTime(storedAt) >= Interval)
        {
            storedAt = time.GetTimestamp();
            StoreMoved(consumer);
        }
    }

    /// <summary>Stores the watermarks that have moved.</summary>
    public void StoreMoved(IConsumer<byte[]?, byte[]?> consumer)
    {
        foreach (var (partition, watermark) in records.DrainMoved())
        {
            Store(consumer, partition, watermark);
        }
    }

    /// <summary>Stores a position.</summary>
    public static void Store(IConsumer<byte[]?, byte[]?> consumer, KafkaPartition partition, RecordPosition position)
    {
        try
        {
            consumer.StoreOffset(
                new TopicPartitionOffset(partition.Topic, partition.Number, position.NextOffset, position.LeaderEpoch));
        }
        catch (KafkaException)
        {
            // The partition was given away in the meantime. Its next owner reads again from the last commit.
        }
    }
}
