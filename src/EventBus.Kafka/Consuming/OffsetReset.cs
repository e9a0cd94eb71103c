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
    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1);

    // The poll thread waits for each answer, and must not miss a rebalance meanwhile.
    private static readonly TimeSpan LongestCall = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RepeatAfter = TimeSpan.FromSeconds(5);

    // The partitions without a position, each with true if the client says that it has no valid one. They are tried
    // again until the broker answers.
    private readonly Queue<(TopicPartition Partition, bool IsInvalid)> waiting = new();
    private long since;
    private TimeSpan wait;

    private TimeSpan CallTimeout => context.Options.CallTimeout < LongestCall ? context.Options.CallTimeout : LongestCall;

    /// <summary>Handles that the client has no valid position in a partition.</summary>
    public void Add(IConsumer<byte[]?, byte[]?> consumer, TopicPartition partition)
    {
        waiting.Enqueue((partition, IsInvalid: true));
        Continue(consumer);
    }

    /// <summary>Handles that the client has not begun to read a partition although it has records.</summary>
    public void AddUnread(IConsumer<byte[]?, byte[]?> consumer, TopicPartition partition)
    {
        waiting.Enqueue((partition, IsInvalid: false));
        Continue(consumer);
    }

    /// <summary>
    /// Handles that the client could not read the positions of the group: sets those of the partitions of which nothing
    /// was read, after a moment.
    /// </summary>
    public void AddAllUnread()
    {
        foreach (var unread in owned.All.Where(each => each.NextToRead.Offset == Offset.Stored).Select(each => each.Partition))
        {
            if (!waiting.Any(each => each.Partition == unread))
            {
                waiting.Enqueue((unread, IsInvalid: false));
            }
        }

        WaitFor(FirstWait);
    }

    /// <summary>Tries again what failed before, if it is time.</summary>
    public void ContinueIfDue(IConsumer<byte[]?, byte[]?> consumer)
    {
        if (waiting.Count > 0 && context.Time.GetElapsedTime(since) >= wait)
        {
            Continue(consumer);
        }
    }

    /// <summary>Sets the positions, until the broker does not answer. Then another partition is the next.</summary>
    private void Continue(IConsumer<byte[]?, byte[]?> consumer)
    {
        while (waiting.TryDequeue(out var next))
        {
            try
            {
                if (owned.Find(next.Partition) is { } found)
                {
                    Reset(consumer, found, next.IsInvalid);
                }
            }
            catch (KafkaException exception)
            {
                waiting.Enqueue(next);
                WaitFor(RepeatAfter);
                context.Log.NoPosition(
                    context.Name, next.Partition.Topic, next.Partition.Partition.Value, KafkaErrors.CauseOf(exception)!);
                return;
            }
        }
    }

    private void WaitFor(TimeSpan time) => (since, wait) = (context.Time.GetTimestamp(), time);

    private void Reset(IConsumer<byte[]?, byte[]?> consumer, OwnedPartition found, bool isInvalid)
    {
        var partition = found.Partition;
        var next = found.Records.Next;
        if (next < 0)
        {
            next = consumer.Committed([partition], CallTimeout)[0].Offset is { IsSpecial: false } committed ? committed.Value : -1;
        }

        if (next >= 0 && !isInvalid)
        {
            // The client tells later if the position is not valid. It cannot be judged here: an open transaction ends
            // the log for this reader, and the position may be behind it.
            found.Start = next;
        }
        else
        {
            FindStart(consumer, found, next);
        }

        Assign(consumer, found);
        found.Progressed(context.Time.GetTimestamp());
    }

    private void FindStart(IConsumer<byte[]?, byte[]?> consumer, OwnedPartition found, long next)
    {
        var partition = found.Partition;
        var log = consumer.QueryWatermarkOffsets(partition, CallTimeout);
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
