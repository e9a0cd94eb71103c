using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Reads how many records each subscription has not received yet, and how many it has received and not acknowledged.
/// Records whose names do not match the subscription are in the same topics and count too, until it has read them.
/// </summary>
internal sealed class KafkaBacklog(KafkaAdmin admin, KafkaTopology names)
{
    private readonly KafkaOffsets offsets = new(admin);

    /// <summary>Reads the backlog of each receiver. Subscriptions share topics; each is asked once.</summary>
    public async Task<IReadOnlyList<SubscriptionBacklog>> ReadAsync(
        IReadOnlyList<KafkaReceiver> receivers, CancellationToken cancellationToken)
    {
        if (receivers.Count == 0)
        {
            return [];
        }

        var committed = await Task.WhenAll(receivers.Select(
            receiver => offsets.ReadCommittedAsync(names.GroupOf(receiver.Subscription.Name), cancellationToken)));
        var partitions = committed.SelectMany(each => each.Keys).Distinct().ToList();
        var ends = await offsets.ReadEndsAsync(partitions, cancellationToken);
        return [.. receivers.Zip(committed, (receiver, offsetsOfGroup) => BacklogOf(receiver, offsetsOfGroup, ends))];
    }

    private static SubscriptionBacklog BacklogOf(
        KafkaReceiver receiver,
        IReadOnlyDictionary<TopicPartition, long> committed,
        IReadOnlyDictionary<TopicPartition, long> ends)
    {
        // What this instance has received does not wait, although its offset is not committed yet.
        var (positions, unsettled) = receiver.ReadProgress();
        var waiting = 0L;
        foreach (var (partition, offset) in committed)
        {
            var next = Math.Max(offset, positions.GetValueOrDefault(partition, offset));
            waiting += Math.Max(0, ends.GetValueOrDefault(partition, next) - next);
        }

        // Other instances do not tell what they have received.
        var ownsAll = committed.Keys.All(positions.ContainsKey);
        return new SubscriptionBacklog(receiver.Subscription.Name, waiting, ownsAll ? unsettled : null, Consumers: null);
    }
}
