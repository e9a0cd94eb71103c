using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Reads how many entries each subscription has not read yet, and how many it has read and not acknowledged. Entries
/// whose names do not match the subscription are in the same streams and count too, until it has read them.
/// </summary>
internal sealed class RedisBacklog(RedisConnector connector, IDatabase database)
{
    /// <summary>Reads the backlog of each receiver. Subscriptions share streams; each is asked once.</summary>
    public async Task<IReadOnlyList<SubscriptionBacklog>> ReadAsync(
        IReadOnlyList<RedisReceiver> receivers, CancellationToken cancellationToken)
    {
        var streams = receivers.SelectMany(receiver => receiver.Group.Streams).Distinct().ToList();
        var groups = await Task.WhenAll(streams.Select(stream => GroupsOfAsync(stream, cancellationToken)));
        var byStream = streams.Zip(groups).ToDictionary(pair => pair.First, pair => pair.Second);
        return [.. receivers.Select(receiver => BacklogOf(receiver, byStream))];
    }

    private static SubscriptionBacklog BacklogOf(RedisReceiver receiver, Dictionary<RedisKey, StreamGroupInfo[]> groups)
    {
        long? waiting = 0;
        long? inFlight = 0;
        foreach (var known in receiver.Group.Streams.Select(stream => groups.GetValueOrDefault(stream)).OfType<StreamGroupInfo[]>())
        {
            // An empty list means that the stream does not exist yet. A group that is missing is created again soon.
            // Redis does not know the lag after entries in the middle of the stream were deleted.
            var group = known.Where(each => each.Name == receiver.Group.Name).Select(each => (StreamGroupInfo?)each).FirstOrDefault();
            waiting += known.Length == 0 ? 0 : group?.Lag;
            inFlight += known.Length == 0 ? 0 : group?.PendingMessageCount;
        }

        return new SubscriptionBacklog(receiver.Subscription, waiting, inFlight, Consumers: null);
    }

    private async Task<StreamGroupInfo[]> GroupsOfAsync(RedisKey stream, CancellationToken cancellationToken)
    {
        try
        {
            return await connector.AnswerAsync(database.StreamGroupInfoAsync(stream), cancellationToken);
        }
        catch (RedisServerException exception) when (RedisErrors.IsGroupMissing(exception))
        {
            return [];
        }
    }
}
