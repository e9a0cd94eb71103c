namespace EventBus;

/// <summary>Reads side by side with other instances: whatever the group hands out to this consumer.</summary>
internal sealed class RedisSharedReading(RedisReceiver receiver, RedisMember member) : RedisReading(receiver, member)
{
    private const int OwnBatch = 256;

    /// <summary>Delivers once more, here as long as the receiver takes in, otherwise anywhere.</summary>
    public override async ValueTask ReleaseAsync(HeldEntry entry)
    {
        var next = entry.Again();
        if (Receiver.Held.TryReplace(entry, next) && !Receiver.TryWrite(next))
        {
            next.MayHaveStarted = false;
            await Receiver.GiveBackAsync([next]);
        }
    }

    public override void Lose(IEnumerable<HeldEntry> entries) => Receiver.Lose(entries);

    protected override async Task ResumeAsync(CancellationToken stop)
    {
        foreach (var stream in Member.Group.Streams)
        {
            var (after, held) = (RedisGroup.Start, Receiver.Held.IdsOf(stream));
            while (await Member.Group.ReadOwnAsync(stream, after, OwnBatch).WaitAsync(RedisConnector.Answer, Member.Names.Time, stop) is { Length: > 0 } page)
            {
                await Receiver.TakeAsync(stream, page.Where(entry => !entry.IsNull && !held.Contains(entry.Id)).Select(entry => ((RedisEntry)entry, 0)))
                    .WaitAsync(RedisConnector.Answer, Member.Names.Time, stop);
                (after, held) = (page[^1].Id, Receiver.Held.IdsOf(stream));
            }
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

        var blocking = await Member.Blocking.OpenAsync().WaitAsync(stop);
        var found = await Member.Group.ReadNewAsync(blocking, Member.ShareOf(room)).WaitAsync(RedisConnector.Block + RedisConnector.Answer, Member.Names.Time, stop);
        foreach (var (stream, entries) in found)
        {
            await Receiver.TakeAsync(stream, entries.Select(entry => (entry, 0))).WaitAsync(RedisConnector.Answer, Member.Names.Time, stop);
        }
    }
}
