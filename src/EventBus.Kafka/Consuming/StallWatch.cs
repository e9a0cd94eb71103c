using Confluent.Kafka;

namespace EventBus;

/// <summary>
/// Finds partitions that the client does not read although they have records and there is room: some versions of the
/// client leave a partition paused, and do not repeat a refused question for the position of the group (librdkafka
/// issues 5591 and 5586, open in 2.16). Sets the position again first, then replaces the consumer. Only the poll thread
/// uses it.
/// </summary>
/// <param name="owned">The partitions of this instance.</param>
/// <param name="flow">Tells which partitions are not read on purpose.</param>
/// <param name="reset">Sets the position of a partition of which nothing was read.</param>
/// <param name="context">What the receiver is for.</param>
internal sealed class StallWatch(OwnedPartitions owned, FlowControl flow, OffsetReset reset, ReceiverContext context)
{
    /// <summary>The time without a record after which a partition with records counts as standing still.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The same for a partition of which the client has returned nothing since it was assigned. Once the client knows
    /// the position, it soon returns a record or the end of the partition.
    /// </summary>
    public static readonly TimeSpan FirstLimit = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(2);

    // The poll thread waits for each question, which a cluster out of reach does not answer.
    private static readonly TimeSpan RepeatAfter = TimeSpan.FromSeconds(5);

    private long? unansweredAt;

    /// <summary>Checks the partitions.</summary>
    /// <exception cref="InvalidOperationException">
    /// A partition stands still: the consumer is to be replaced.
    /// </exception>
    public void Check(IConsumer<byte[]?, byte[]?> consumer)
    {
        if (unansweredAt is { } asked && context.Time.GetElapsedTime(asked) < RepeatAfter)
        {
            return;
        }

        unansweredAt = null;
        foreach (var partition in owned.All)
        {
            if (flow.IsPaused(partition))
            {
                partition.ProgressedAt = context.Time.GetTimestamp();
            }
            else if (context.Time.GetElapsedTime(partition.ProgressedAt) >= LimitOf(partition) && !TryCheck(consumer, partition))
            {
                unansweredAt = context.Time.GetTimestamp();
                return;
            }
        }
    }

    private static TimeSpan LimitOf(OwnedPartition partition) => partition.Records.Next < 0 ? FirstLimit : Limit;

    /// <summary>
    /// Checks a partition. Returns false if the cluster does not answer: that is no partition that stands still.
    /// </summary>
    private bool TryCheck(IConsumer<byte[]?, byte[]?> consumer, OwnedPartition partition)
    {
        long end;
        try
        {
            // The end of what a reader may read: an open transaction ends it.
            end = consumer.QueryWatermarkOffsets(partition.Partition, CallTimeout).High.Value;
        }
        catch (KafkaException)
        {
            return false;
        }

        if (end > Math.Max(0, Math.Max(partition.Start, partition.Records.Next)))
        {
            Continue(consumer, partition, end);
        }

        partition.ProgressedAt = context.Time.GetTimestamp();
        return true;
    }

    private void Continue(IConsumer<byte[]?, byte[]?> consumer, OwnedPartition partition, long end)
    {
        var (topic, number) = (partition.Partition.Topic, partition.Partition.Partition.Value);
        var limit = LimitOf(partition).TotalSeconds;
        if (partition.WasNudged)
        {
            throw new InvalidOperationException(
                $"The partition {topic} [{number}] has records up to {end}, and none was read for {2 * limit:0} s.");
        }

        context.Log.PartitionStalled(context.Name, topic, number, limit, end);
        consumer.Resume([partition.Partition]);
        if (partition.Records.Next is >= 0 and var next)
        {
            consumer.Seek(new TopicPartitionOffset(partition.Partition, next));
        }
        else
        {
            // The client may not have begun to read it, and then refuses to seek.
            reset.AddUnread(consumer, partition.Partition);
        }

        partition.WasNudged = true;
    }
}
