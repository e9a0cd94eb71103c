using StackExchange.Redis;

namespace EventBus;

/// <summary>Reads the entries that the group delivers to this consumer, concurrently with other instances.</summary>
internal sealed class RedisSharedReadLoop(
    RedisConsumer consumer, UnackedEntries entries, EntryDispatcher dispatcher, SharedEntrySettler settler)
    : RedisReadLoop(consumer, entries, dispatcher, settler)
{
    private const int PageSize = 256;

    /// <summary>
    /// Fetches the entries that Redis delivered in a lost answer. That delivery does not count. Earlier ones do: an
    /// entry that was taken over from another instance may have been attempted there.
    /// </summary>
    protected override async Task ResumeAsync(CancellationToken stop)
    {
        foreach (var stream in Consumer.Group.Streams)
        {
            RedisValue? pageStart = null;
            StreamPendingMessageInfo[] page;
            do
            {
                var held = Entries.IdsOf(stream);
                page = await Consumer.Connector.AnswerAsync(Consumer.Pending.ListAsync(stream, pageStart, null, PageSize), stop);
                var unseen = page.Where(each => !held.Contains(each.MessageId));
                var deliveries = unseen.Select(each => (each.MessageId, Math.Max(0, each.DeliveryCount - 1)));
                await Dispatcher.FetchAsync(stream, [.. deliveries], stop);
                pageStart = page.Length > 0 ? $"({page[^1].MessageId}" : null;
            }
            while (page.Length == PageSize);
        }
    }

    protected override async Task ReadAsync(IDatabase blocking, CancellationToken stop)
    {
        if (Consumer.Group.Streams.Count == 0)
        {
            await WaitForStreamAsync(stop);
            return;
        }

        var removal = Entries.NextRemoval();
        var room = Consumer.Capacity - Entries.Count;
        if (room <= 0)
        {
            await removal.WaitAsync(stop);
            return;
        }

        using var request = Dispatcher.Requests.Begin(room);
        var found = await Consumer.Group.ReadNewAsync(blocking, Consumer.ShareOf(request.Count), stop);
        request.RecordAnswer(RedisEntry.Sum(found));
        foreach (var (stream, read) in found)
        {
            await Dispatcher.TakeAsync(stream, read.Select(entry => (entry, 0)), request.BegunAt, stop);
        }
    }
}
