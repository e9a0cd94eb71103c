using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus;

/// <summary>Converts records to events and passes them on. Only the poll thread uses it.</summary>
/// <param name="owned">The partitions of this instance.</param>
/// <param name="records">Their records.</param>
/// <param name="context">What the receiver is for.</param>
/// <param name="state">Counts what is skipped.</param>
internal sealed class RecordDispatcher(OwnedPartitions owned, UnackedRecords records, ReceiverContext context, ReceiverState state)
{
    private readonly KafkaTextCache texts = new();

    // The topics for which a record without an event name was logged.
    private readonly HashSet<string> namelessTopics = new(StringComparer.Ordinal);

    /// <summary>Takes a result of the client: a record, or the end of a partition.</summary>
    public void Take(ConsumeResult<byte[]?, byte[]?> result)
    {
        // A record of a partition that was just given away is dropped: its next owner reads it.
        if (owned.Find(result.Topic, result.Partition.Value) is not { } partition)
        {
            return;
        }

        var now = context.Time.GetTimestamp();
        if (result.IsPartitionEOF)
        {
            partition.Progressed(now);
            records.ReachedEnd(partition.Records, result.Offset.Value);
            return;
        }

        partition.Progressed(now);
        if (IsCutBack(partition.Records, result))
        {
            records.End(partition.Records);
            partition.Restart(records.Begin(result.Topic, result.Partition.Value));
            context.Log.LogCutBack(context.Name, result.Topic, result.Partition.Value, result.Offset.Value);
        }

        records.Receive(partition.Records, result.Offset.Value, result.LeaderEpoch, Read(result));
    }

    // A new leader has fewer records than the old one had: the offsets begin again before the last one.
    private static bool IsCutBack(KafkaPartition partition, ConsumeResult<byte[]?, byte[]?> result) =>
        result.Offset.Value <= partition.LastOffset && result.LeaderEpoch > partition.LastLeaderEpoch;

    /// <summary>Gets the event of a record; null if it is not for this subscription.</summary>
    private Envelope? Read(ConsumeResult<byte[]?, byte[]?> result)
    {
        var (envelope, kind) = KafkaWireFormat.ReadAny(result, context.Names, texts);
        var isNameless = kind == KafkaReadingKind.Nameless && !context.Names.IsNamed(context.Subscription, result.Topic);
        if (isNameless || kind == KafkaReadingKind.Tombstone)
        {
            CountNameless(result.Topic);
            return null;
        }

        var isSubscribed = context.Subscription.Matches(envelope.Name) || envelope.Name == context.Names.UnreadableNameOf(result.Topic);
        return isSubscribed ? envelope : null;
    }

    private void CountNameless(string topic)
    {
        state.CountNameless();
        if (namelessTopics.Add(topic))
        {
            context.Log.NamelessRecord(context.Name, topic);
        }
    }
}
