using Confluent.Kafka;

namespace EventBus;

/// <summary>Holds the partitions that this instance owns at present. Only the poll thread uses it.</summary>
internal sealed class OwnedPartitions(UnackedRecords records, TimeProvider time)
{
    private readonly Dictionary<(string Topic, int Number), OwnedPartition> partitions = [];

    public IReadOnlyCollection<OwnedPartition> All => partitions.Values;

    /// <summary>The timestamp of the last assignment or revocation.</summary>
    public long ChangedAt { get; private set; } = time.GetTimestamp();

    public OwnedPartition? Find(TopicPartition partition) => Find(partition.Topic, partition.Partition.Value);

    public OwnedPartition? Find(string topic, int number) => partitions.GetValueOrDefault((topic, number));

    /// <summary>Begins to own a partition. Its records are held until <see cref="UnackedRecords.Admit"/>.</summary>
    public OwnedPartition Add(TopicPartition partition)
    {
        ChangedAt = time.GetTimestamp();
        if (Find(partition) is { } earlier)
        {
            records.End(earlier.Records);
        }

        var begun = new OwnedPartition(
            partition, records.Begin(partition.Topic, partition.Partition.Value, isHeld: true), ChangedAt);
        partitions[KeyOf(partition)] = begun;
        return begun;
    }

    public void Remove(OwnedPartition partition)
    {
        ChangedAt = time.GetTimestamp();
        partitions.Remove(KeyOf(partition.Partition));
    }

    private static (string Topic, int Number) KeyOf(TopicPartition partition) => (partition.Topic, partition.Partition.Value);
}
