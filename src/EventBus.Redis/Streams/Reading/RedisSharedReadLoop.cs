using StackExchange.Redis;

namespace EventBus;

/// <summary>Reads the entries that the group delivers to this consumer, concurrently with other instances.</summary>
internal sealed class RedisSharedReadLoop(
    RedisConsumer consumer, UnackedEntries entries, EntryDispatcher dispatcher, SharedEntrySettler settler)
    : RedisReadLoop(consumer, entries, dispatcher, settler)
{
    private const int PageSize = 256;

    // An answer with all the entries that were asked for, or with many, is usually followed by more, so that the next
    // read need not wait for any.
    private const int FewEntries = 4;
    private const int ManyEntries = 16;

    // New entries are read when there is room for a quarter of the capacity. The others are more than the handlers
    // need, and few large answers cost less than many small ones.
    private const int MaxHeldQuarters = 3;

    // True if the last answer was part of a burst.
    private bool isBurst;

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
        var held = Entries.Count;
        var room = Consumer.Capacity - held;
        if (held > Consumer.Capacity * MaxHeldQuarters / 4)
        {
            await removal.WaitAsync(stop);
            return;
        }

        using var request = Dispatcher.Requests.Begin(room);
        var count = Consumer.ShareOf(request.Count);
        var found = isBurst
            ? await Consumer.Group.ReadPresentAsync(blocking, count, stop)
            : await Consumer.Group.ReadNewAsync(blocking, count, stop);
        var sum = RedisEntry.Sum(found);
        request.RecordAnswer(sum);
        isBurst = sum.Entries >= Math.Clamp(count, FewEntries, ManyEntries);
        foreach (var (stream, read) in found)
        {
            await Dispatcher.TakeAsync(stream, read.Select(entry => (entry, 0)), request.BegunAt, stop);
        }
    }
}
