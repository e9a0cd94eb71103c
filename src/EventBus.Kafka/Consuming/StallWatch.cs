using Confluent.Kafka;

namespace EventBus;

/// <summary>
/// Finds partitions that the client no longer reads although they have records and there is room: some versions of the
/// client leave a partition paused. Seeks it first, then replaces the consumer. Only the poll thread uses it.
/// </summary>
/// <param name="owned">The partitions of this instance.</param>
/// <param name="flow">Tells which partitions are not read on purpose.</param>
/// <param name="context">What the receiver is for.</param>
internal sealed class StallWatch(OwnedPartitions owned, FlowControl flow, ReceiverContext context)
{
    /// <summary>The time without a record after which a partition with records counts as standing still.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Checks the partitions. The caller has room for further records.</summary>
    /// <exception cref="InvalidOperationException">
    /// A partition stands still: the consumer is to be replaced.
    /// </exception>
    public void Check(IConsumer<byte[]?, byte[]?> consumer)
    {
        foreach (var partition in owned.All)
        {
            if (flow.IsPaused)
            {
                partition.ProgressedAt = context.Time.GetTimestamp();
            }
            else if (context.Time.GetElapsedTime(partition.ProgressedAt) >= Limit)
            {
                CheckOne(consumer, partition);
            }
        }
    }

    private void CheckOne(IConsumer<byte[]?, byte[]?> consumer, OwnedPartition partition)
    {
        partition.ProgressedAt = context.Time.GetTimestamp();
        long end;
        try
        {
            // The end of what a reader may read: an open transaction ends it. A cluster that does not answer is no
            // partition that stands still.
            end = consumer.QueryWatermarkOffsets(partition.Partition, CallTimeout).High.Value;
        }
        catch (KafkaException)
        {
            return;
        }

        var next = partition.Records.Next;
        if (end <= next || end == 0)
        {
            return;
        }

        if (partition.WasNudged || next < 0)
        {
            throw new InvalidOperationException(
                $"The partition {partition.Partition.Topic} [{partition.Partition.Partition.Value}] has records up to {end}, and none "
                    + $"was read for {2 * Limit.TotalSeconds:0} s.");
        }

        context.Log.PartitionStalled(context.Name, partition.Partition.Topic, partition.Partition.Partition.Value, next, end);
        consumer.Seek(new TopicPartitionOffset(partition.Partition, next));
        partition.WasNudged = true;
    }
}
