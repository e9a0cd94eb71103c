using StackExchange.Redis;

namespace EventBus;

/// <summary>Takes over the entries of dead or closed consumers, and delivers them.</summary>
internal sealed class PendingEntryTakeover(RedisConsumer consumer, UnackedEntries entries, EntryDispatcher dispatcher)
{
    private const int PageSize = 100;

    /// <summary>Claims the entries that their consumers have not renewed, in all streams, and delivers them.</summary>
    public Task ClaimAllAsync(CancellationToken stop) =>
        EachStream.RunAsync(consumer.Group.Streams, stream => ClaimStreamAsync(stream, stop));

    private async Task ClaimStreamAsync(RedisKey stream, CancellationToken stop)
    {
        var cursor = RedisGroup.Start;
        do
        {
            // Reads hold at most Capacity entries, and one more of each stream. Claims may exceed that by the number of
            // handlers, so that a flood of new events does not delay the entries of dead consumers.
            var limit = consumer.Capacity + consumer.Group.Streams.Count + consumer.Subscription.Concurrency;
            var room = Math.Min(PageSize, limit - entries.Count);
            if (room <= 0)
            {
                return;
            }

            cursor = await ClaimPageAsync(stream, cursor, room, stop);
        }
        while (cursor != RedisGroup.Start && !stop.IsCancellationRequested);
    }

    private async Task<RedisValue> ClaimPageAsync(RedisKey stream, RedisValue cursor, int room, CancellationToken stop)
    {
        var held = entries.IdsOf(stream);
        var claim = consumer.Pending.ClaimAsync(stream, consumer.ClaimAfter, cursor, room);
        var (next, taken, deleted) = await consumer.Connector.AnswerAsync(claim, stop);
        if (deleted > 0)
        {
            consumer.Log.EntriesDeleted(deleted, stream!, consumer.Group.Name);
        }

        (RedisValue Id, int Deliveries)[] unseen = [.. taken.Where(each => !held.Contains(each.Id))];
        if (unseen.Length > 0)
        {
            await dispatcher.FetchAsync(stream, unseen, stop);
            consumer.Log.TookOver(consumer.Group.Name, unseen.Length, stream!);
        }

        return next;
    }
}
