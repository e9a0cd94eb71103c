using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Reads an ordered subscription. The instance that holds the lease takes over all pending entries in stream order, and
/// then reads new ones. The other instances stand by.
/// </summary>
/// <remarks>
/// Each command that changes the group checks the lease in the same script, so that an instance that was paused takes
/// nothing from its successor. A blocking read of the group cannot do that. Therefore a plain read waits at the server,
/// which changes nothing and only signals that there are new entries.
/// </remarks>
internal sealed class RedisOrderedReadLoop(
    RedisConsumer consumer, UnackedEntries entries, EntryDispatcher dispatcher, OrderedEntrySettler settler, RedisLease lease)
    : RedisReadLoop(consumer, entries, dispatcher, settler)
{
    private const int Page = 100;

    private static readonly TimeSpan MaxPoll = TimeSpan.FromMilliseconds(200);

    private readonly OrderedEntrySettler settler = settler;
    private readonly FencedCommands fence = new(lease.Key, consumer.Group.Name, consumer.Group.Consumer);
    private readonly Dictionary<RedisKey, RedisValue> positions = [];
    private readonly TimeSpan poll = consumer.ClaimAfter / 3 < MaxPoll ? consumer.ClaimAfter / 3 : MaxPoll;

    private Task signal = Task.CompletedTask;

    /// <summary>
    /// Takes the lease again under a new number, which refuses the commands that were in transit when the connection
    /// failed. Delivered entries stay valid if no other instance has held the lease in between.
    /// </summary>
    protected override Task ResumeAsync(CancellationToken stop) => TryTakeLeaseAsync(stop);

    protected override async Task ReadAsync(IDatabase blocking, CancellationToken stop)
    {
        if (Consumer.Group.Streams.Count == 0)
        {
            await WaitForStreamAsync(stop);
            return;
        }

        if (settler.Epoch is not { } token)
        {
            if (!await TryTakeLeaseAsync(stop))
            {
                await Task.Delay(poll, Consumer.Time, stop);
            }

            return;
        }

        try
        {
            foreach (var stream in Consumer.Group.Streams.Where(stream => !positions.ContainsKey(stream)))
            {
                if (!await TakeOverAsync(token, stream, stop))
                {
                    return;
                }
            }

            await ReadNewAsync(blocking, token, stop);
        }
        catch (RedisServerException exception) when (FencedCommands.IsRefusal(exception))
        {
            settler.LoseLease(token);
        }
    }

    private async Task<bool> TryTakeLeaseAsync(CancellationToken stop)
    {
        positions.Clear();
        var taken = await Consumer.Connector.AnswerAsync(lease.TryTakeAsync(), stop);
        if (!settler.TryBegin(taken))
        {
            return false;
        }

        Consumer.Log.TookLease(Consumer.Group.Name, taken!.Value.Token);
        return true;
    }

    /// <summary>Delivers the pending entries of a stream, in its order.</summary>
    /// <returns>True if all of them were delivered.</returns>
    private async Task<bool> TakeOverAsync(string token, RedisKey stream, CancellationToken stop)
    {
        // Queried before the first page: newer entries are read as new ones, and are not pending.
        var position = await Consumer.Connector.AnswerAsync(Consumer.Group.LastDeliveredAsync(stream), stop) ?? RedisGroup.Start;
        var after = RedisGroup.Start;
        while (true)
        {
            var room = await RoomAsync(stop);
            var held = Entries.IdsOf(stream);
            using var request = Dispatcher.Requests.Begin(Math.Min(Page, room));
            var bulk = await OpenBulkAsync(stop);
            var page = await fence.TakeOverAsync(bulk, token, stream, after, request.Count).Observed().WaitAsync(stop);
            request.Answered(page.Entries.Count, page.Entries.Sum(each => each.Entry.Bytes));
            if (page.Deleted > 0)
            {
                Consumer.Log.EntriesDeleted(page.Deleted, stream!, Consumer.Group.Name);
            }

            if (page.Last.IsNull)
            {
                positions[stream] = position;
                return true;
            }

            // Entries that are held already are left out: they were delivered before the connection failed, or their
            // acknowledgement is in transit.
            var unseen = page.Entries.Where(each => !held.Contains(each.Entry.Id));
            if (!await DeliverAsync(token, stream, unseen, request.At, stop))
            {
                return false;
            }

            after = page.Last;
        }
    }

    /// <summary>Reads and delivers new entries, and waits for some if there are none.</summary>
    private async Task ReadNewAsync(IDatabase blocking, string token, CancellationToken stop)
    {
        var (room, epochEnd) = (await RoomAsync(stop), settler.EpochEnded);
        using (var request = Dispatcher.Requests.Begin(room))
        {
            var (bulk, streams) = (await OpenBulkAsync(stop), Consumer.Group.Streams);
            var found = await fence.ReadNewAsync(bulk, token, streams, Consumer.ShareOf(request.Count)).Observed().WaitAsync(stop);
            request.Answered(found.Sum(each => each.Entries.Length), found.Sum(each => each.Entries.Sum(entry => entry.Bytes)));
            foreach (var (stream, read) in found)
            {
                if (!await DeliverAsync(token, stream, read.Select(entry => (entry, 0)), request.At, stop))
                {
                    return;
                }

                positions[stream] = read[^1].Id;
            }

            if (found.Count > 0)
            {
                return;
            }
        }

        // A wait that is still in progress is used again, because any new entry ends it.
        if (signal.IsCompletedSuccessfully || signal.IsFaulted)
        {
            signal = RedisGroup.WaitForNewAsync(blocking, positions).Observed();
        }

        // Awaits the task that ended first, so that its error is thrown.
        var first = await Task.WhenAny(signal, epochEnd).WaitAsync(stop);
        await first;
    }

    /// <summary>
    /// Gets the connection for large answers. The watchdog closes an inactive connection; while it is active, the wait
    /// for an answer has no timeout.
    /// </summary>
    private Task<IDatabase> OpenBulkAsync(CancellationToken stop) => Consumer.Bulk.OpenAsync().Observed().WaitAsync(stop);

    private async Task<int> RoomAsync(CancellationToken stop)
    {
        while (true)
        {
            var removal = Entries.NextRemoval();
            var room = Consumer.Capacity - Entries.Count;
            if (room > 0)
            {
                return room;
            }

            await removal.WaitAsync(stop);
        }
    }

    /// <summary>Delivers entries that were read under a token, if its epoch continues.</summary>
    /// <returns>True if the epoch continues.</returns>
    private async Task<bool> DeliverAsync(
        string token, RedisKey stream, IEnumerable<(RedisEntry Entry, int EarlierDeliveries)> read, long askedAt, CancellationToken stop)
    {
        var (own, others) = Dispatcher.Convert(stream, read, askedAt);
        if (!settler.TryDeliver(token, own))
        {
            return false;
        }

        await Consumer.Group.AckAsync(stream, others, stop);
        return true;
    }
}
