using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Removes the consumer groups of a subscription that is no longer used. Its streams are no longer known, so all
/// streams are searched.
/// </summary>
internal sealed class RedisRetirement(IDatabase database, RedisStreamCatalog catalog, RedisTopology names, TimeSpan claimAfter)
{
    /// <summary>Removes the groups of a subscription from all streams.</summary>
    /// <exception cref="EventBusException">
    /// The group has active consumers, or events wait in it and must not be discarded.
    /// </exception>
    public async Task RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken)
    {
        var group = names.GroupOf(subscription);
        var streams = new List<RedisKey>();
        var all = await catalog.ScanAsync(cancellationToken);
        foreach (var key in all)
        {
            if (await StateOfAsync(key, group) is { } state)
            {
                await CheckAsync(key, state, subscription, discardWaiting);
                streams.Add(key);
            }
        }

        // The group leaves this set before the groups are deleted, because a group in the set is created again where it
        // is missing.
        await database.SetRemoveAsync(names.OpenGroups, group);

        // No group is deleted until all checks have passed.
        foreach (var stream in streams)
        {
            await database.StreamDeleteConsumerGroupAsync(stream, group);
        }

        await Task.WhenAll(all.Select(stream => database.HashDeleteAsync(names.PositionsOf(stream), group)));
        await database.KeyDeleteAsync([names.LeaseOf(group), names.FenceOf(group)]);
    }

    private async Task<StreamGroupInfo?> StateOfAsync(RedisKey stream, string group)
    {
        foreach (var each in await database.StreamGroupInfoAsync(stream))
        {
            if (each.Name == group)
            {
                return each;
            }
        }

        return null;
    }

    private async Task CheckAsync(RedisKey stream, StreamGroupInfo group, string subscription, bool discardWaiting)
    {
        var consumers = await database.StreamConsumerInfoAsync(stream, group.Name);
        if (consumers.Any(consumer => TimeSpan.FromMilliseconds(consumer.IdleTimeInMilliseconds) < claimAfter))
        {
            throw new EventBusException($"The consumer group '{group.Name}' of the stream '{stream}' has consumers that were active less "
                + $"than {claimAfter} ago. Stop the instances that subscribe to '{subscription}' first.");
        }

        // Entries that were read and not acknowledged, and entries after the last one that was read.
        var next = await database.StreamRangeAsync(stream, $"({group.LastDeliveredId}", count: 1);
        if (!discardWaiting && (group.PendingMessageCount > 0 || next.Length > 0))
        {
            throw new EventBusException($"Events wait in the consumer group '{group.Name}' of the stream '{stream}'. Let them be "
                + "handled, or discard them (discardWaiting: true).");
        }
    }
}
