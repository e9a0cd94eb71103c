using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace EventBus;

/// <summary>Reads the offsets of partitions and of consumer groups.</summary>
internal sealed class KafkaOffsets(KafkaAdmin admin)
{
    /// <summary>Reads the offsets that a group has committed, for all partitions that it has any for.</summary>
    /// <param name="group">The group.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>Empty if there is no such group.</returns>
    public async Task<IReadOnlyDictionary<TopicPartition, long>> ReadCommittedAsync(string group, CancellationToken cancellationToken) =>
        (await admin.ReadCommittedAsync(group, cancellationToken)).ToDictionary(found => found.TopicPartition, found => found.Offset.Value);

    /// <summary>Reads the ends of partitions: the offsets of the next records.</summary>
    /// <param name="partitions">The partitions.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public Task<IReadOnlyDictionary<TopicPartition, long>> ReadEndsAsync(
        IReadOnlyCollection<TopicPartition> partitions, CancellationToken cancellationToken) =>
        ReadAsync(partitions, OffsetSpec.Latest(), cancellationToken);

    /// <summary>Reads the beginnings of partitions: the offsets of the oldest records.</summary>
    /// <param name="partitions">The partitions.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public Task<IReadOnlyDictionary<TopicPartition, long>> ReadBeginningsAsync(
        IReadOnlyCollection<TopicPartition> partitions, CancellationToken cancellationToken) =>
        ReadAsync(partitions, OffsetSpec.Earliest(), cancellationToken);

    /// <summary>Reads the offsets of the first records that partitions received at a time or later.</summary>
    /// <param name="partitions">The partitions.</param>
    /// <param name="time">The time.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>A negative offset for a partition without such a record.</returns>
    public Task<IReadOnlyDictionary<TopicPartition, long>> ReadAtAsync(
        IReadOnlyCollection<TopicPartition> partitions, DateTimeOffset time, CancellationToken cancellationToken) =>
        ReadAsync(partitions, OffsetSpec.ForTimestamp(time.ToUnixTimeMilliseconds()), cancellationToken);

    /// <summary>
    /// Counts the records that a group has not committed. Markers of transactions count too, so there are at most so
    /// many events.
    /// </summary>
    public async Task<long> CountWaitingAsync(string group, CancellationToken cancellationToken)
    {
        var committed = await ReadCommittedAsync(group, cancellationToken);
        var ends = await ReadEndsAsync([.. committed.Keys], cancellationToken);
        return committed.Sum(pair => Math.Max(0, ends.GetValueOrDefault(pair.Key) - pair.Value));
    }

    private async Task<IReadOnlyDictionary<TopicPartition, long>> ReadAsync(
        IReadOnlyCollection<TopicPartition> partitions, OffsetSpec spec, CancellationToken cancellationToken)
    {
        if (partitions.Count == 0)
        {
            return new Dictionary<TopicPartition, long>();
        }

        var requests = partitions
            .Select(partition => new TopicPartitionOffsetSpec { TopicPartition = partition, OffsetSpec = spec })
            .ToList();
        IEnumerable<ListOffsetsResultInfo> infos;
        try
        {
            var result = await admin.CallAsync(
                (client, timeout) => client.ListOffsetsAsync(requests, new ListOffsetsOptions { RequestTimeout = timeout }),
                cancellationToken);
            infos = result.ResultInfos;
        }
        catch (ListOffsetsException exception)
        {
            // Some partitions may be of a topic that was deleted, or have no leader at present.
            infos = exception.Result.ResultInfos;
        }

        return infos.Select(info => info.TopicPartitionOffsetError)
            .Where(found => !found.Error.IsError)
            .ToDictionary(found => found.TopicPartition, found => found.Offset.Value);
    }
}
