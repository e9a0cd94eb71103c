using Confluent.Kafka;

namespace EventBus;

/// <summary>
/// Represents what the poll thread knows about a partition that this instance owns. Only the poll thread uses it.
/// </summary>
/// <param name="partition">The partition.</param>
/// <param name="records">Its records.</param>
/// <param name="now">The timestamp of the assignment.</param>
internal sealed class OwnedPartition(TopicPartition partition, KafkaPartition records, long now)
{
    public TopicPartition Partition => partition;

    public KafkaPartition Records { get; private set; } = records;

    /// <summary>The timestamp at which the client last returned a record or the end of this partition.</summary>
    public long ProgressedAt { get; set; } = now;

    /// <summary>
    /// The offset at which the reading was set to begin; -1 for the position of the group. Default -1.
    /// </summary>
    public long Start { get; set; } = -1;

    /// <summary>The offset at which the client continues if the partition is assigned again.</summary>
    public TopicPartitionOffset NextToRead
    {
        get
        {
            var next = Math.Max(Start, Records.Next);
            return new TopicPartitionOffset(Partition, next >= 0 ? next : Offset.Stored);
        }
    }

    /// <summary>True if its reading is paused.</summary>
    public bool IsPaused { get; set; }

    /// <summary>True if it was sought again because it seemed to stand still, and has not progressed since.</summary>
    public bool WasNudged { get; set; }

    /// <summary>Completes when the beginning of the period is noted, or could not be. Default: completed.</summary>
    public Task Opening { get; set; } = Task.CompletedTask;

    /// <summary>True if the beginning of the period is noted.</summary>
    public bool IsNoted { get; set; }

    /// <summary>Records that the client has returned something of this partition.</summary>
    public void Progressed(long timestamp)
    {
        ProgressedAt = timestamp;
        WasNudged = false;
    }

    /// <summary>Begins a new period, because the log does not continue where it was read.</summary>
    public void Restart(KafkaPartition next)
    {
        next.Replay = Records.Replay;
        Records = next;
        Start = -1;
    }
}
