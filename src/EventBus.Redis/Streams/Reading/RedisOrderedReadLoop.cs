using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Reads an ordered subscription. The instance that holds the lease takes over all pending entries in stream order, and
/// then reads new ones. The other instances stand by.
/// </summary>
/// <remarks>
/// Each command that changes the group checks the lease in the same script, so that an instance that was paused takes
/// nothing from its successor. A script cannot wait. Therefore the loop waits with a plain read (XREAD), which changes
/// nothing and only signals that there are new entries.
/// </remarks>
internal sealed class RedisOrderedReadLoop(
    RedisConsumer consumer, UnackedEntries entries, EntryDispatcher dispatcher, OrderedEntrySettler settler, RedisLease lease)
    : RedisReadLoop(consumer, entries, dispatcher, settler)
{
    private const int PageSize = 100;

    private static readonly TimeSpan MaxStandbyDelay = TimeSpan.FromMilliseconds(200);

    private readonly OrderedEntrySettler settler = settler;
    private readonly OrderedEntryDispatcher orderedDispatcher = new(consumer, dispatcher, settler);
    private readonly FencedCommands commands = new(lease.Key, consumer.Group.Name, consumer.Group.Consumer);

    // The last delivered entry of each stream whose pending entries were taken over.
    private readonly Dictionary<RedisKey, RedisValue> positions = [];

    // The delay between two requests for the lease while another instance holds it.
    private readonly TimeSpan standbyDelay = consumer.ClaimAfter / 3 < MaxStandbyDelay ? consumer.ClaimAfter / 3 : MaxStandbyDelay;

    // The current wait for new entries.
    private Task newEntries = Task.CompletedTask;

    /// <summary>
    /// Takes the lease again under a new number, so that commands that were in transit when the connection failed are
    /// refused. Delivered entries stay valid if no other instance has held the lease in between.
    /// </summary>
    protected override Task ResumeAsync(CancellationToken stop) => TryTakeLeaseAsync(stop);

    protected override async Task ReadAsync(IDatabase blocking, CancellationToken stop)
    {
        if (Consumer.Group.Streams.Count == 0)
        {
            await WaitForStreamAsync(stop);
            return;
        }

        var epoch = settler.Epoch;
        if (epoch is null)
        {
            if (!await TryTakeLeaseAsync(stop))
            {
                await Task.Delay(standbyDelay, Consumer.Time, stop);
            }

            return;
        }

        try
        {
            foreach (var stream in Consumer.Group.Streams.Where(stream => !positions.ContainsKey(stream)))
            {
                if (!await TakeOverAsync(epoch.Token, stream, stop))
                {
                    return;
                }
            }

            await ReadNewAsync(blocking, epoch, stop);
        }
        catch (RedisServerException exception) when (FencedCommands.IsFenced(exception))
        {
            settler.LoseLease(epoch.Token);
        }
    }

    private async Task<bool> TryTakeLeaseAsync(CancellationToken stop)
    {
        // All pending entries are taken over again, because some may be of an answer that was lost.
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
        // Entries after this position are not pending, but new.
        var position = await Consumer.Connector.AnswerAsync(Consumer.Group.LastDeliveredAsync(stream), stop) ?? RedisGroup.Start;
        var after = RedisGroup.Start;
        while (true)
        {
            var room = await Entries.WaitForRoomAsync(Consumer.Capacity, stop);
            var held = Entries.IdsOf(stream);
            using var request = Dispatcher.Requests.Begin(Math.Min(PageSize, room));
            var bulk = await Consumer.Bulk.GetAsync(stop);
            var page = await commands.TakeOverAsync(bulk, token, stream, after, request.Count).Observed().WaitAsync(stop);
            request.RecordAnswer(page.Entries.Count, page.Entries.Sum(each => each.Entry.Bytes));
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
            if (!await orderedDispatcher.TryTakeAsync(token, stream, unseen, request.BegunAt, stop))
            {
                return false;
            }

            after = page.Last;
        }
    }

    /// <summary>Reads and delivers new entries, and waits for some if there are none.</summary>
    private async Task ReadNewAsync(IDatabase blocking, DeliveryEpoch epoch, CancellationToken stop)
    {
        var room = await Entries.WaitForRoomAsync(Consumer.Capacity, stop);
        using (var request = Dispatcher.Requests.Begin(room))
        {
            var bulk = await Consumer.Bulk.GetAsync(stop);
            var count = Consumer.ShareOf(request.Count);
            var found = await commands.ReadNewAsync(bulk, epoch.Token, Consumer.Group.Streams, count).Observed().WaitAsync(stop);
            request.RecordAnswer(RedisEntry.Sum(found));
            foreach (var (stream, read) in found)
            {
                if (!await orderedDispatcher.TryTakeAsync(epoch.Token, stream, read.Select(entry => (entry, 0)), request.BegunAt, stop))
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
        if (newEntries.IsCompleted)
        {
            newEntries = RedisGroup.WaitForNewAsync(blocking, positions).Observed();
        }

        // The first task is awaited, so that its error is thrown.
        var first = await Task.WhenAny(newEntries, epoch.Ended).WaitAsync(stop);
        await first;
    }
}
