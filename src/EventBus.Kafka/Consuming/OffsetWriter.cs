using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Stores positions in the client, which commits them for the group every half second, and when a partition is given
/// away. Those of cautious partitions are committed at once. Only the poll thread uses it.
/// </summary>
internal sealed class OffsetWriter(UnackedRecords records, TimeProvider time)
{
    /// <summary>The time after which a commit that does not end is abandoned with its client.</summary>
    public static readonly TimeSpan FinishTimeout = TimeSpan.FromSeconds(1);

    // More often than the client commits, and rarely enough that it costs nothing.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private long storedAt = time.GetTimestamp();
    private Task committing = Task.CompletedTask;

    /// <summary>Stores the watermarks that have moved, if it is time.</summary>
    public void StoreIfDue(IConsumer<byte[]?, byte[]?> consumer)
    {
        if (time.GetElapsedTime(storedAt) >= Interval || records.IsCommitNeeded)
        {
            storedAt = time.GetTimestamp();
            StoreMoved(consumer);
        }
    }

    /// <summary>Stores the watermarks that have moved.</summary>
    public void StoreMoved(IConsumer<byte[]?, byte[]?> consumer)
    {
        if (!committing.IsCompleted)
        {
            return;
        }

        var cautious = new List<(KafkaPartition Partition, TopicPartitionOffset Position)>();
        foreach (var (partition, watermark) in records.DrainMoved())
        {
            Store(consumer, partition, watermark);
            if (partition.IsCautious)
            {
                cautious.Add((partition, PositionOf(partition, watermark)));
            }
        }

        if (cautious.Count > 0)
        {
            committing = CommitAsync(consumer, cautious);
        }
    }

    /// <summary>Waits until the client no longer commits for this object.</summary>
    /// <returns>False if it does not end: the client cannot be disposed.</returns>
    public bool TryFinish() => committing.Wait(FinishTimeout);

    /// <summary>Stores a position.</summary>
    public static void Store(IConsumer<byte[]?, byte[]?> consumer, KafkaPartition partition, RecordPosition position)
    {
        try
        {
            consumer.StoreOffset(PositionOf(partition, position));
        }
        catch (KafkaException)
        {
            // The partition was given away in the meantime. Its next owner reads again from the last commit.
        }
    }

    private static TopicPartitionOffset PositionOf(KafkaPartition partition, RecordPosition position) =>
        new(partition.Topic, partition.Number, position.NextOffset, position.LeaderEpoch);

    /// <summary>
    /// Commits on another thread: the client waits for the coordinator, as long as a session. Never throws.
    /// </summary>
    private async Task CommitAsync(
        IConsumer<byte[]?, byte[]?> consumer, List<(KafkaPartition Partition, TopicPartitionOffset Position)> cautious)
    {
        var commit = KafkaThreads.RunAsync(
            "commit",
            () =>
            {
                consumer.Commit(cautious.Select(each => each.Position));
                return true;
            });
        await commit.Quietly();
        records.EndCommit([.. cautious.Select(each => each.Partition)], commit.IsCompletedSuccessfully);
    }
}
