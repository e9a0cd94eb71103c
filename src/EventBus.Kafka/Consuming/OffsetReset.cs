using System.Globalization;
using Confluent.Kafka;

namespace EventBus;

/// <summary>
/// Decides where to continue when the client has no valid position in a partition: a partition that appeared after
/// the subscription begins at its first record, and one whose next records are gone continues at the first one that is
/// left, with a report. Only the poll thread uses it.
/// </summary>
/// <param name="owned">The partitions of this instance.</param>
/// <param name="records">Their records.</param>
/// <param name="context">What the receiver is for.</param>
/// <param name="state">Remembers what is gone.</param>
internal sealed class OffsetReset(OwnedPartitions owned, UnackedRecords records, ReceiverContext context, ReceiverState state)
{
    private static readonly TimeSpan RepeatAfter = TimeSpan.FromSeconds(1);

    // The partitions without a position. They are tried again until the broker answers.
    private readonly HashSet<TopicPartition> waiting = [];
    private long triedAt;

    /// <summary>Handles that the client has no valid position in a partition.</summary>
    public void Add(IConsumer<byte[]?, byte[]?> consumer, TopicPartition partition)
    {
        waiting.Add(partition);
        Continue(consumer);
    }

    /// <summary>
    /// Handles that the client could not read the positions of the group: sets those of the partitions of which nothing
    /// was read, after a moment.
    /// </summary>
    public void AddUnread()
    {
        triedAt = context.Time.GetTimestamp();
        waiting.UnionWith(owned.All.Where(each => each.NextToRead.Offset == Offset.Stored).Select(each => each.Partition));
    }

    /// <summary>Tries again what failed before, if it is time.</summary>
    public void ContinueIfDue(IConsumer<byte[]?, byte[]?> consumer)
    {
        if (waiting.Count > 0 && context.Time.GetElapsedTime(triedAt) >= RepeatAfter)
        {
            Continue(consumer);
        }
    }

    private void Continue(IConsumer<byte[]?, byte[]?> consumer)
    {
        triedAt = context.Time.GetTimestamp();
        foreach (var partition in waiting.ToArray())
        {
            try
            {
                if (owned.Find(partition) is { } found)
                {
                    Reset(consumer, found);
                }

                waiting.Remove(partition);
            }
            catch (KafkaException exception)
            {
                context.Log.NoPosition(context.Name, partition.Topic, partition.Partition.Value, KafkaErrors.CauseOf(exception)!);
            }
        }
    }

    private void Reset(IConsumer<byte[]?, byte[]?> consumer, OwnedPartition found)
    {
        var partition = found.Partition;
        var timeout = context.Options.CallTimeout;
        var next = found.Records.Next;
        if (next < 0)
        {
            next = consumer.Committed([partition], timeout)[0].Offset is { IsSpecial: false } committed ? committed.Value : -1;
        }

        var log = consumer.QueryWatermarkOffsets(partition, timeout);
        var isKept = next >= log.Low.Value && next <= log.High.Value;
        if (next >= 0 && !isKept)
        {
            Report(partition, next, log);
        }

        // What was received before stays valid only if the log continues behind it.
        if (next >= 0 && log.Low.Value < next && !isKept)
        {
            records.End(found.Records);
            found.Restart(records.Begin(partition.Topic, partition.Partition.Value));

            // In another log the offsets of a replay have no meaning.
            found.Records.Replay = default;
        }

        found.Start = isKept ? next : log.Low.Value;
        Assign(consumer, found);
        found.Progressed(context.Time.GetTimestamp());
    }

    /// <summary>
    /// Lets the client read a partition from its start. Without a valid position the client has stopped to read it, and
    /// refuses to seek in it: it must be assigned again. That leaves the group as it is.
    /// </summary>
    private void Assign(IConsumer<byte[]?, byte[]?> consumer, OwnedPartition found)
    {
        if (context.Options is { GroupProtocol: KafkaGroupProtocol.Classic, Assignor: KafkaAssignor.Range })
        {
            consumer.Assign(owned.All.Select(each => each.NextToRead));
            return;
        }

        consumer.IncrementalUnassign([found.Partition]);
        consumer.IncrementalAssign([found.NextToRead]);
    }

    private void Report(TopicPartition partition, long next, WatermarkOffsets log)
    {
        var what = next < log.Low.Value
            ? $"the records {next} to {log.Low.Value - 1} of {partition.Topic} [{partition.Partition.Value}] were removed by the "
                + "retention, or by an operator, before they were read"
            : $"the topic {partition.Topic} [{partition.Partition.Value}] ends at {log.High.Value}, before the position {next} of "
                + "the group: it was created again, or its log was cut back";
        var end = next < log.Low.Value ? log.Low.Value - 1 : log.High.Value;
        state.Report(
            string.Create(CultureInfo.InvariantCulture, $"{partition.Topic}/{partition.Partition.Value}/{next}-{end}"),
            partition.Topic,
            what);
        context.Log.RecordsGone(context.Name, context.Group, what, log.Low.Value);
    }
}
