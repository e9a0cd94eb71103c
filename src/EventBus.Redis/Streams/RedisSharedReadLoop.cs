using StackExchange.Redis;

namespace EventBus;

/// <summary>Reads the entries that the group delivers to this consumer, concurrently with other instances.</summary>
internal sealed class RedisSharedReadLoop(RedisReceiver receiver, RedisConsumer member) : RedisReadLoop(receiver, member)
{
    private const int OwnBatch = 256;

    private readonly RedisReadBatchSize pace = new();

    /// <summary>Delivers the entry again: here while the intake runs, otherwise on any instance.</summary>
    public override async ValueTask ReleaseAsync(UnackedEntry entry)
    {
        var next = entry.Again();
        if (Receiver.Held.TryReplace(entry, next) && !Receiver.TryWrite(next))
        {
            next.MayHaveStarted = false;
            await Receiver.GiveBackAsync([next]);
        }
    }

    public override void Lose(IEnumerable<UnackedEntry> entries) => Receiver.Lose(entries);

    /// <summary>
    /// Fetches the entries that Redis delivered in a lost answer. An entry that was taken over from another instance
    /// may have been attempted there; its delivery count includes that.
    /// </summary>
    protected override async Task ResumeAsync(CancellationToken stop)
    {
        foreach (var stream in Member.Group.Streams)
        {
            RedisValue? from = null;
            StreamPendingMessageInfo[] page;
            do
            {
                var held = Receiver.Held.IdsOf(stream);
                page = await Member.Connector.AnswerAsync(Member.Group.PendingAsync(stream, from, null, OwnBatch), stop);
                await Receiver.FetchAsync(stream, [.. page.Where(each => !held.Contains(each.MessageId)).Select(each => (each.MessageId, Math.Max(0, each.DeliveryCount - 1)))], stop);
                from = page.Length > 0 ? $"({page[^1].MessageId}" : null;
            }
            while (page.Length == OwnBatch);
        }
    }

    protected override async Task PassAsync(CancellationToken stop)
    {
        var removal = Receiver.Held.NextRemoval();
        var room = Member.Capacity - Receiver.Held.Count;
        if (room <= 0)
        {
            await removal.WaitAsync(stop);
            return;
        }

        var blocking = await Member.Blocking.OpenAsync().Observed().WaitAsync(stop);
        var count = Member.ShareOf(pace.Of(room));
        using var arrival = Receiver.Arrivals.Begin();
        IReadOnlyList<(RedisKey Stream, RedisEntry[] Entries)> found;
        try
        {
            // The watchdog closes an inactive connection. While it is active, the wait has no timeout.
            found = await Member.Group.ReadNewAsync(blocking, count).Observed().WaitAsync(stop);
        }
        catch
        {
            pace.Failed();
            throw;
        }

        pace.Answered(found.Sum(each => each.Entries.Length), found.Sum(each => each.Entries.Sum(entry => entry.Bytes)));
        foreach (var (stream, entries) in found)
        {
            await Member.Connector.AnswerAsync(Receiver.TakeAsync(stream, entries.Select(entry => (entry, 0)), arrival.At), stop);
        }
    }
}
