using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Removes the consumer groups of a subscription that is no longer used. The application no longer declares which
/// streams the subscription read, so all streams are searched.
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
        var streams = await catalog.ScanAsync(cancellationToken);
        var streamsWithGroup = new List<RedisKey>();
        foreach (var stream in streams)
        {
            var info = await GroupInfoAsync(stream, group);
            if (info is not null)
            {
                await ThrowIfUsedAsync(stream, info.Value, subscription, discardWaiting);
                streamsWithGroup.Add(stream);
            }
        }

        // Removed from the set of open groups before it is deleted, because a group in that set is created again where
        // it is missing.
        await database.SetRemoveAsync(names.OpenGroups, group);

        // No group is deleted until all checks have passed.
        foreach (var stream in streamsWithGroup)
        {
            await database.StreamDeleteConsumerGroupAsync(stream, group);
        }

        await Task.WhenAll(streams.Select(stream => database.HashDeleteAsync(names.PositionsOf(stream), group)));
        await database.KeyDeleteAsync([names.LeaseOf(group), names.FenceOf(group)]);
    }

    /// <summary>Gets the group in one stream; null if the stream does not have it.</summary>
    private async Task<StreamGroupInfo?> GroupInfoAsync(RedisKey stream, string group)
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

    private async Task ThrowIfUsedAsync(RedisKey stream, StreamGroupInfo group, string subscription, bool discardWaiting)
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
            throw new EventBusException($"Events wait in the consumer group '{group.Name}' of the stream '{stream}'. Start an instance "
                + $"that subscribes to '{subscription}' and handles them, or discard them (discardWaiting: true).");
        }
    }
}
