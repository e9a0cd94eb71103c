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
    private readonly RedisReadBatchSize batchSize = new();

    private Task signal = Task.CompletedTask;

    /// <summary>
    /// Takes the lease again under a new number, which refuses the commands that were in transit when the connection
    /// failed. Delivered entries stay valid if no other instance has held the lease in between.
    /// </summary>
    protected override Task ResumeAsync(CancellationToken stop) => TryTakeLeaseAsync(stop);

    protected override async Task PassAsync(CancellationToken stop)
    {
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

            await ReadAsync(token, stop);
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
            var (askedAt, count) = (Consumer.Time.GetTimestamp(), batchSize.Of(Math.Min(Page, room)));
            var page = await MeasuredAsync(
                bulk => fence.TakeOverAsync(bulk, token, stream, after, count), taken => taken.Entries.Select(each => each.Entry), stop);
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
            if (!await DeliverAsync(token, stream, page.Entries.Where(each => !held.Contains(each.Entry.Id)), askedAt, stop))
            {
                return false;
            }

            after = page.Last;
        }
    }

    private async Task ReadAsync(string token, CancellationToken stop)
    {
        var (room, over) = (await RoomAsync(stop), settler.Ended);
        var streams = Consumer.Group.Streams;
        var (askedAt, count) = (Consumer.Time.GetTimestamp(), Consumer.ShareOf(batchSize.Of(room)));
        var found = await MeasuredAsync(
            bulk => fence.ReadNewAsync(bulk, token, streams, count), read => read.SelectMany(each => each.Entries), stop);
        foreach (var (stream, read) in found)
        {
            if (!await DeliverAsync(token, stream, read.Select(entry => (entry, 0)), askedAt, stop))
            {
                return;
            }

            positions[stream] = read[^1].Id;
        }

        if (found.Count == 0)
        {
            var blocking = await Consumer.Blocking.OpenAsync().Observed().WaitAsync(stop);

            // A wait that is still in progress is used again, because any new entry ends it.
            var isOver = signal.IsCompletedSuccessfully || signal.IsFaulted;
            signal = isOver ? RedisGroup.WaitForNewAsync(blocking, positions).Observed() : signal;
            await (await Task.WhenAny(signal, over).WaitAsync(stop));
        }
    }

    /// <summary>Sends a request for entries, and adapts the size of the next batch to the answer.</summary>
    private async Task<T> MeasuredAsync<T>(Func<IDatabase, Task<T>> ask, Func<T, IEnumerable<RedisEntry>> entriesOf, CancellationToken stop)
    {
        try
        {
            // The watchdog closes an inactive connection. While it is active, the wait has no timeout.
            var bulk = await Consumer.Bulk.OpenAsync().Observed().WaitAsync(stop);
            var answer = await ask(bulk).Observed().WaitAsync(stop);
            RedisEntry[] read = [.. entriesOf(answer)];
            batchSize.Answered(read.Length, read.Sum(entry => entry.Bytes));
            return answer;
        }
        catch
        {
            batchSize.Failed();
            throw;
        }
    }

    private async Task<int> RoomAsync(CancellationToken stop)
    {
        while (true)
        {
            var removal = Entries.NextRemoval();
            if (Consumer.Capacity - Entries.Count is > 0 and var room)
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

        await Consumer.Connector.AnswerAsync(Consumer.Group.AckAsync(stream, others), stop);
        return true;
    }
}
