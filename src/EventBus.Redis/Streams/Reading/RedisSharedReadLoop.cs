using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Reads the entries that the group delivers to this consumer, concurrently with other instances.</summary>
internal sealed class RedisSharedReadLoop(
    RedisConsumer consumer, UnackedEntries entries, EntryDispatcher dispatcher, SharedEntrySettler settler)
    : RedisReadLoop(consumer, entries, dispatcher, settler)
{
    private const int OwnBatch = 256;

    private readonly RedisReadBatchSize batchSize = new();

    /// <summary>
    /// Fetches the entries that Redis delivered in a lost answer. An entry that was taken over from another instance
    /// may have been attempted there; its delivery count includes that.
    /// </summary>
    protected override async Task ResumeAsync(CancellationToken stop)
    {
        foreach (var stream in Consumer.Group.Streams)
        {
            RedisValue? from = null;
            StreamPendingMessageInfo[] page;
            do
            {
                var held = Entries.IdsOf(stream);
                page = await Consumer.Connector.AnswerAsync(Consumer.Group.PendingAsync(stream, from, null, OwnBatch), stop);
                var unseen = page.Where(each => !held.Contains(each.MessageId));
                await Dispatcher.FetchAsync(
                    stream,
                    [.. unseen.Select(each => (each.MessageId, Math.Max(0, each.DeliveryCount - 1)))],
                    stop);
                from = page.Length > 0 ? $"({page[^1].MessageId}" : null;
            }
            while (page.Length == OwnBatch);
        }
    }

    protected override async Task PassAsync(CancellationToken stop)
    {
        var removal = Entries.NextRemoval();
        var room = Consumer.Capacity - Entries.Count;
        if (room <= 0)
        {
            await removal.WaitAsync(stop);
            return;
        }

        var blocking = await Consumer.Blocking.OpenAsync().Observed().WaitAsync(stop);
        var count = Consumer.ShareOf(batchSize.Of(room));
        using var arrival = Dispatcher.Arrivals.Begin();
        IReadOnlyList<(RedisKey Stream, RedisEntry[] Entries)> found;
        try
        {
            // The watchdog closes an inactive connection. While it is active, the wait has no timeout.
            found = await Consumer.Group.ReadNewAsync(blocking, count).Observed().WaitAsync(stop);
        }
        catch
        {
            batchSize.Failed();
            throw;
        }

        batchSize.Answered(found.Sum(each => each.Entries.Length), found.Sum(each => each.Entries.Sum(entry => entry.Bytes)));
        foreach (var (stream, read) in found)
        {
            await Consumer.Connector.AnswerAsync(Dispatcher.TakeAsync(stream, read.Select(entry => (entry, 0)), arrival.At), stop);
        }
    }
}
