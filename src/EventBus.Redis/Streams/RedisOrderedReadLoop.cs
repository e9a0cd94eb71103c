using StackExchange.Redis;

namespace EventBus;

/// <summary>Reads alone: the instance that has the lease takes over everything pending in the order of the streams, and then reads on. The others stand by.</summary>
/// <remarks>
/// Every command that moves the group checks the lease where it acts, so that an instance that was frozen takes nothing from its successor. That rules out the blocking read of a group: what waits at the server
/// is a plain read, which moves nothing and only says that something has come.
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

    // The token under which the present epoch hands out; null between two epochs. Whatever was read under another is not handed out.
    private string? epoch;
    private TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task signal = Task.CompletedTask;
    private bool stopped;

    /// <summary>The epoch begins again at what was released. Once the intake has stopped only the later events of its key are lost with it: the others may still end well.</summary>
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

    /// <summary>Somebody who does not keep to the lease took entries of this epoch: it begins again.</summary>
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

    /// <summary>Looks at the clock before anything else of a lane begins: a process that was frozen may notice here first that its time is over.</summary>
    public override void Settling()
    {
        if (lease is { Token: { } token } && lease.Remaining <= TimeSpan.Zero)
        {
            LoseLease(token);
        }
    }

    /// <summary>Hands out nothing more. The lease stays until everything is settled or given back.</summary>
    public void Stop()
    {
        lock (gate)
        {
            stopped = true;
        }
    }

    protected override void Mended()
    {
        lock (gate)
        {
            EndEpoch();
        }
    }

    /// <summary>What was on its way when the connection failed may still arrive: a new number shuts it out. What was handed out stays, if nobody else had the lease in between.</summary>
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

    /// <summary>Hands out what is pending in a stream, in its order.</summary>
    /// <returns>Whether all of it was handed out.</returns>
    private async Task<bool> TakeOverAsync(string token, RedisKey stream, CancellationToken stop)
    {
        // Before the first page: what is newer than this is read, and not pending.
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

            // What is held was handed out before the connection failed, or its acknowledgement is on its way.
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

            // One that is still waiting serves as well: whatever comes ends it.
            signal = signal.IsCompletedSuccessfully || signal.IsFaulted ? RedisGroup.WaitForNewAsync(blocking, positions).Observed() : signal;
            await (await Task.WhenAny(signal, over).WaitAsync(stop));
        }
    }

    private async Task<T> PacedAsync<T>(Func<IDatabase, Task<T>> ask, Func<T, IEnumerable<RedisEntry>> entriesOf, CancellationToken stop)
    {
        try
        {
            // The watchdog ends a connection without a sign of life. As long as there is one, what comes is worth waiting for.
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

    /// <returns>Whether the epoch goes on.</returns>
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

    /// <summary>The lease is another's, or may be by now.</summary>
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

    /// <summary>Everything unsettled is lost here, and comes again in the order of the streams.</summary>
    private void EndEpoch()
    {
        epoch = null;
        Receiver.Lose(Receiver.Held.ToArray());
        Receiver.Drain();
        ended.TrySetResult();
    }
}
