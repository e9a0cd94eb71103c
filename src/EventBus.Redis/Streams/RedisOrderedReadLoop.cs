using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Reads an ordered subscription. The instance that holds the lease takes over all pending entries in stream order, and
/// then reads new ones. The other instances stand by.
/// </summary>
/// <remarks>
/// Each command that changes the group checks the lease in the same script, so that an instance that was paused takes
/// nothing from its successor. A blocking read of the group cannot do that. Therefore a plain read waits at the server,
/// which changes nothing and only signals that there are new entries. An epoch is a period of uninterrupted delivery
/// under one lease.
/// </remarks>
internal sealed class RedisOrderedReadLoop(RedisReceiver receiver, RedisConsumer member, RedisLease lease) : RedisReadLoop(receiver, member)
{
    private const int Page = 100;

    private static readonly TimeSpan MaxPoll = TimeSpan.FromMilliseconds(200);

    private readonly FencedCommands fence = new(lease.Key, member.Group.Name, member.Group.Consumer);
    private readonly Dictionary<RedisKey, RedisValue> positions = [];
    private readonly TimeSpan poll = member.ClaimAfter / 3 < MaxPoll ? member.ClaimAfter / 3 : MaxPoll;
    private readonly RedisReadBatchSize pace = new();
    private readonly Lock gate = new();

    // The token of the current epoch; null between two epochs. Entries that were read under another token are not
    // delivered.
    private string? epoch;
    private TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task signal = Task.CompletedTask;
    private bool stopped;

    /// <summary>
    /// Ends the epoch, so that delivery restarts at the released entry. After the intake has stopped, only the later
    /// events of its key are lost with it, because the other events may still complete.
    /// </summary>
    public override ValueTask ReleaseAsync(UnackedEntry entry)
    {
        lock (gate)
        {
            if (!stopped)
            {
                Receiver.Held.Remove(entry);
                EndEpoch();
                return ValueTask.CompletedTask;
            }

            var next = entry.Again();
            next.MayHaveStarted = false;
            if (Receiver.Held.TryReplace(entry, next))
            {
                Receiver.Lose(Receiver.Held.ToArray().Where(other => other.Stream == entry.Stream && other.Envelope.Key == entry.Envelope.Key && other.Position > entry.Position));
            }
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// Marks entries as lost that a consumer has taken without the lease, and ends the epoch, so that delivery
    /// restarts.
    /// </summary>
    public override void Lose(IEnumerable<UnackedEntry> entries)
    {
        lock (gate)
        {
            if (Receiver.Lose(entries) > 0)
            {
                EndEpoch();
            }
        }
    }

    /// <summary>
    /// Checks the remaining time of the lease before the next event of a partition begins. After a pause of the
    /// process, this may be the first check that detects an expired lease.
    /// </summary>
    public override void Settling()
    {
        if (lease is { Token: { } token } && lease.Remaining <= TimeSpan.Zero)
        {
            LoseLease(token);
        }
    }

    /// <summary>Stops the delivery. The lease is kept until all entries are settled or released.</summary>
    public void Stop()
    {
        lock (gate)
        {
            stopped = true;
        }
    }

    protected override void GroupsRecreated()
    {
        lock (gate)
        {
            EndEpoch();
        }
    }

    /// <summary>
    /// Takes the lease again under a new number, which refuses the commands that were in transit when the connection
    /// failed. Delivered entries stay valid if no other instance has held the lease in between.
    /// </summary>
    protected override Task ResumeAsync(CancellationToken stop) => TryTakeAsync(stop);

    protected override async Task PassAsync(CancellationToken stop)
    {
        if (Epoch is not { } token)
        {
            if (!await TryTakeAsync(stop))
            {
                await Task.Delay(poll, Member.Names.Time, stop);
            }

            return;
        }

        try
        {
            foreach (var stream in Member.Group.Streams.Where(stream => !positions.ContainsKey(stream)))
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
            LoseLease(token);
        }
    }

    private string? Epoch
    {
        get
        {
            lock (gate)
            {
                return epoch;
            }
        }
    }

    private async Task<bool> TryTakeAsync(CancellationToken stop)
    {
        positions.Clear();
        var taken = await Member.Connector.AnswerAsync(lease.TryTakeAsync(), stop);
        lock (gate)
        {
            if (taken is not { Continued: true } && epoch is not null)
            {
                EndEpoch();
            }

            if (taken is null || stopped)
            {
                return false;
            }

            epoch = taken.Value.Token;
            ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        Member.Log.TookLease(Member.Group.Name, taken.Value.Token);
        return true;
    }

    /// <summary>Delivers the pending entries of a stream, in its order.</summary>
    /// <returns>True if all of them were delivered.</returns>
    private async Task<bool> TakeOverAsync(string token, RedisKey stream, CancellationToken stop)
    {
        // Queried before the first page: newer entries are read as new ones, and are not pending.
        var position = await Member.Connector.AnswerAsync(Member.Group.LastDeliveredAsync(stream), stop) ?? RedisGroup.Start;
        var after = RedisGroup.Start;
        while (true)
        {
            var room = await RoomAsync(stop);
            var held = Receiver.Held.IdsOf(stream);
            var (askedAt, count) = (Member.Names.Time.GetTimestamp(), pace.Of(Math.Min(Page, room)));
            var page = await PacedAsync(bulk => fence.TakeOverAsync(bulk, token, stream, after, count), taken => taken.Entries.Select(each => each.Entry), stop);
            if (page.Deleted > 0)
            {
                Member.Log.EntriesDeleted(page.Deleted, stream!, Member.Group.Name);
            }

            if (page.Last.IsNull)
            {
                positions[stream] = position;
                return true;
            }

            // Held entries were delivered before the connection failed, or their acknowledgement is in transit.
            if (!await HandOutAsync(token, stream, page.Entries.Where(each => !held.Contains(each.Entry.Id)), askedAt, stop))
            {
                return false;
            }

            after = page.Last;
        }
    }

    private async Task ReadAsync(string token, CancellationToken stop)
    {
        var (room, over) = (await RoomAsync(stop), ended.Task);
        var streams = Member.Group.Streams;
        var (askedAt, count) = (Member.Names.Time.GetTimestamp(), Member.ShareOf(pace.Of(room)));
        var found = await PacedAsync(bulk => fence.ReadNewAsync(bulk, token, streams, count), read => read.SelectMany(each => each.Entries), stop);
        foreach (var (stream, entries) in found)
        {
            if (!await HandOutAsync(token, stream, entries.Select(entry => (entry, 0)), askedAt, stop))
            {
                return;
            }

            positions[stream] = entries[^1].Id;
        }

        if (found.Count == 0)
        {
            var blocking = await Member.Blocking.OpenAsync().Observed().WaitAsync(stop);

            // A wait in progress is reused: any new entry ends it.
            signal = signal.IsCompletedSuccessfully || signal.IsFaulted ? RedisGroup.WaitForNewAsync(blocking, positions).Observed() : signal;
            await (await Task.WhenAny(signal, over).WaitAsync(stop));
        }
    }

    private async Task<T> PacedAsync<T>(Func<IDatabase, Task<T>> ask, Func<T, IEnumerable<RedisEntry>> entriesOf, CancellationToken stop)
    {
        try
        {
            // The watchdog closes an inactive connection. While it is active, the wait has no timeout.
            var bulk = await Member.Bulk.OpenAsync().Observed().WaitAsync(stop);
            var answer = await ask(bulk).Observed().WaitAsync(stop);
            RedisEntry[] entries = [.. entriesOf(answer)];
            pace.Answered(entries.Length, entries.Sum(entry => entry.Bytes));
            return answer;
        }
        catch
        {
            pace.Failed();
            throw;
        }
    }

    private async Task<int> RoomAsync(CancellationToken stop)
    {
        while (true)
        {
            var removal = Receiver.Held.NextRemoval();
            if (Member.Capacity - Receiver.Held.Count is > 0 and var room)
            {
                return room;
            }

            await removal.WaitAsync(stop);
        }
    }

    /// <returns>True if the epoch continues.</returns>
    private async Task<bool> HandOutAsync(string token, RedisKey stream, IEnumerable<(RedisEntry Entry, int EarlierDeliveries)> entries, long askedAt, CancellationToken stop)
    {
        RedisValue[] others;
        lock (gate)
        {
            if (epoch != token)
            {
                return false;
            }

            others = Receiver.HandOut(stream, entries, askedAt);
        }

        await Member.Connector.AnswerAsync(Member.Group.AckAsync(stream, others), stop);
        return true;
    }

    /// <summary>Drops the lease, because another instance holds it or may hold it.</summary>
    public void LoseLease(string token)
    {
        lock (gate)
        {
            lease.Drop(token);
            if (epoch == token)
            {
                EndEpoch();
            }
        }

        Member.Log.LeaseLost(Member.Group.Name, token);
    }

    /// <summary>Ends the epoch. All unsettled entries are lost here, and are delivered again in stream order.</summary>
    private void EndEpoch()
    {
        epoch = null;
        Receiver.Lose(Receiver.Held.ToArray());
        Receiver.Drain();
        ended.TrySetResult();
    }
}
