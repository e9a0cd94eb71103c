using System.Collections.Concurrent;
using System.Threading.Channels;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Receives the events of one subscription, and holds those that are read and not settled. <see cref="RedisReadLoop"/>
/// reads them, <see cref="RedisAckLoop"/> acknowledges them, and <see cref="PendingEntryMaintenance"/> renews them and
/// takes over those of dead consumers.
/// </summary>
/// <remarks>
/// The loss of a connection does not end the ownership: entries stay pending for the consumer's name, and an
/// acknowledgement after the reconnection is still valid. Ownership ends when another consumer claims an entry, or when
/// it may have done so because renewing failed for too long.
/// </remarks>
internal sealed class RedisReceiver : Receiver
{
    private const int MaxUnseen = 10_000;

    // The bus asks for other consumers every 5 s, and a standby instance shows activity only then.
    private static readonly TimeSpan ShownEvery = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    private readonly RedisConsumer member;
    private readonly RedisGroup group;
    private readonly TimeProvider time;
    private readonly RedisLease? lease;
    private readonly RedisReadLoop reading;
    private readonly RedisAckLoop settling;
    private readonly PendingEntryMaintenance upkeep;
    private readonly RedisStreamDiscovery discovery;
    private readonly Channel<Delivery> deliveries = Channel.CreateUnbounded<Delivery>();
    private readonly CancellationTokenSource stopIntake = new();
    private readonly CancellationTokenSource close = new();
    private readonly ConcurrentDictionary<RedisKey, bool> misplaced = new();
    private readonly RedisStringCache texts = new();
    private readonly Lock gate = new();

    private Task running = Task.CompletedTask;
    private Task finding = Task.CompletedTask;
    private Task keeping = Task.CompletedTask;
    private Task? stopping;
    private Task? closing;

    public RedisReceiver(RedisConsumer member)
    {
        (this.member, group, time) = (member, member.Group, member.Names.Time);
        Arrivals = new InFlightReads(time);
        lease = member.Subscription.Ordered ? new RedisLease(group.Database, member.Names, group.Name, group.Consumer, member.ClaimAfter) : null;
        reading = lease is null ? new RedisSharedReadLoop(this, member) : new RedisOrderedReadLoop(this, member, lease);
        settling = new RedisAckLoop(this, member, close.Token);
        upkeep = new PendingEntryMaintenance(this, reading, member);
        discovery = new RedisStreamDiscovery(member);
    }

    public override ChannelReader<Delivery> Deliveries => deliveries.Reader;

    public string Subscription => member.Subscription.Name;

    public bool IsStopping => stopIntake.IsCancellationRequested;

    /// <summary>The reason why no events are received; null if there is no problem.</summary>
    public string? Complaint => running.IsCompleted ? "Reading has ended; start the application again." : reading.Complaint;

    /// <summary>
    /// The problem that an operator should look at although events are received; null if there is none.
    /// </summary>
    public string? Remark => member.Place.Complaint ?? settling.Complaint ?? upkeep.Complaint ?? discovery.Complaint;

    /// <summary>The entries that are read and not yet acknowledged. Their number bounds all channels.</summary>
    public UnackedEntries Held { get; } = new();

    /// <summary>The entries that are in transit from Redis.</summary>
    public InFlightReads Arrivals { get; }

    /// <param name="live">
    /// True if the group exists. Otherwise it is created as soon as Redis answers, and begins with the entries added
    /// after that.
    /// </param>
    public void Start(bool live)
    {
        running = reading.RunAsync(live, stopIntake.Token);
        keeping = lease is not null && reading is RedisOrderedReadLoop ordered ? new RedisLeaseRenewer(ordered, lease, member).RunAsync(close.Token) : Task.CompletedTask;
        finding = RedisTopology.IsOpen(member.Subscription) || group.Streams.Count > 1 ? discovery.RunAsync(stopIntake.Token) : Task.CompletedTask;
        upkeep.Start(stopIntake.Token, close.Token);
    }

    /// <summary>Counts the other consumers of the group; null if the number is unknown at present.</summary>
    public async Task<(int Count, TimeSpan DeadFor)?> CountOthersAsync(CancellationToken cancellationToken)
    {
        // An active consumer reads every second, or renews what it holds.
        var deadFor = (member.ClaimAfter / 3) + ShownEvery;
        try
        {
            var others = await member.Connector.AnswerAsync(group.OthersAsync(deadFor), cancellationToken);
            others.UnionWith(lease is null ? [] : await member.Connector.AnswerAsync(lease.OtherHoldersAsync(), cancellationToken));
            return (others.Count, deadFor);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or RedisCommandException)
        {
            return null;
        }
    }

    public override async ValueTask StopIntakeAsync()
    {
        lock (gate)
        {
            stopping ??= StopAsync();
        }

        await stopping;
    }

    public override async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            closing ??= CloseAsync();
        }

        await closing;
    }

    /// <summary>Delivers entries to the bus, and acknowledges those that are not for this subscription.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="entries">
    /// The entries, each with the number of earlier deliveries that may have been attempts.
    /// </param>
    /// <param name="askedAt">The time of the request.</param>
    public Task TakeAsync(RedisKey stream, IEnumerable<(RedisEntry Entry, int EarlierDeliveries)> entries, long askedAt) => group.AckAsync(stream, HandOut(stream, entries, askedAt));

    /// <summary>
    /// Fetches and delivers entries that this consumer owns and has not delivered yet, about 1 MB at a time.
    /// </summary>
    /// <param name="stream">The stream.</param>
    /// <param name="unseen">The ids, each with the number of earlier deliveries that may have been attempts.</param>
    /// <param name="stop">Cancels the call.</param>
    public async Task FetchAsync(RedisKey stream, IReadOnlyList<(RedisValue Id, int EarlierDeliveries)> unseen, CancellationToken stop)
    {
        var earlier = unseen.ToDictionary(each => each.Id, each => each.EarlierDeliveries);
        for (var done = 0; done < unseen.Count;)
        {
            using var arrival = Arrivals.Begin();
            var bulk = await member.Bulk.OpenAsync().Observed().WaitAsync(stop);
            var answer = await group.FetchAsync(bulk, stream, unseen.Skip(done).Select(each => each.Id)).Observed().WaitAsync(stop);
            if (answer.Deleted > 0)
            {
                member.Log.EntriesDeleted(answer.Deleted, stream!, group.Name);
            }

            await member.Connector.AnswerAsync(TakeAsync(stream, answer.Entries.Select(entry => (entry, earlier.GetValueOrDefault(entry.Id, 1))), arrival.At), stop);
            done += answer.Done;
        }
    }

    /// <summary>Delivers entries to the bus.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="entries">
    /// The entries, each with the number of earlier deliveries that may have been attempts.
    /// </param>
    /// <param name="askedAt">The time of the request.</param>
    /// <returns>The ids that are not for this subscription and have to be acknowledged.</returns>
    public RedisValue[] HandOut(RedisKey stream, IEnumerable<(RedisEntry Entry, int EarlierDeliveries)> entries, long askedAt)
    {
        // The server delivered them at most one blocking wait after the request, however long the answer took.
        var givenAt = Math.Min(time.GetTimestamp(), askedAt + (long)(RedisConnector.Block.TotalSeconds * time.TimestampFrequency));
        var others = new List<RedisValue>();
        var word = member.Names.WordOf(stream);
        var last = RedisValue.Null;
        var late = 0;
        foreach (var (entry, earlier) in entries)
        {
            last = entry.Id;
            var envelope = RedisWireFormat.Read(word, entry, texts);
            if (!member.Subscription.Matches(envelope.Name) && envelope.Name != RedisWireFormat.Nameless(word))
            {
                others.Add(entry.Id);
                if (member.Names.StreamOf(envelope.Name) is var home && home != stream && misplaced.TryAdd(stream, true))
                {
                    member.Log.Misplaced(stream!, envelope.Name, home!, member.Subscription.Name);
                }

                continue;
            }

            var ownedAt = Arrivals.OwnedAt(stream, entry.Id, givenAt);
            if (lease is null && time.GetElapsedTime(ownedAt) > member.KeepFor)
            {
                // The entry arrived so late that another instance may own it: it is not delivered here. The consumer
                // that claims it next delivers it.
                late++;
                continue;
            }

            var held = new UnackedEntry(this, stream, entry.Id, envelope, earlier, ownedAt);
            if (Held.TryAdd(held) && !TryWrite(held))
            {
                // The intake has stopped: the entry stays pending, and is released together with the entries that were
                // not seen.
                Held.Remove(held);
            }
        }

        if (late > 0)
        {
            member.Log.DeliveriesLost(late, member.Subscription.Name);
        }

        // The entries arrive in stream order.
        member.Place.Seen(stream, last);
        return [.. others];
    }

    /// <returns>True if the bus will receive the entry; false after the intake has stopped.</returns>
    public bool TryWrite(UnackedEntry entry) => deliveries.Writer.TryWrite(entry.ToDelivery());

    /// <summary>
    /// Removes the deliveries that the bus has not taken yet from the channel, and returns their envelopes.
    /// </summary>
    public HashSet<Envelope> Drain()
    {
        var buffered = new HashSet<Envelope>();
        while (deliveries.Reader.TryRead(out var delivery))
        {
            buffered.Add(delivery.Envelope);
        }

        return buffered;
    }

    /// <summary>Ends the ownership of entries.</summary>
    /// <returns>The number of entries that were not settled before.</returns>
    public int Lose(IEnumerable<UnackedEntry> entries)
    {
        var unsettled = 0;
        foreach (var entry in entries)
        {
            // False for an entry whose acknowledgement is in transit: it is handled, and not lost.
            if (entry.Lose())
            {
                unsettled++;
                Held.Remove(entry);
            }
        }

        if (unsettled > 0)
        {
            member.Log.DeliveriesLost(unsettled, member.Subscription.Name);
        }

        return unsettled;
    }

    /// <summary>Runs before a delivery is acknowledged, as the last check of its ownership.</summary>
    public void Settling() => reading.Settling();

    public void Acknowledge(UnackedEntry entry) => settling.Add(entry);

    public ValueTask ReleaseAsync(UnackedEntry entry) => reading.ReleaseAsync(entry);

    /// <summary>Releases entries to the next claim of any instance. If that fails, they are claimed later.</summary>
    public async Task GiveBackAsync(IReadOnlyList<UnackedEntry> entries)
    {
        foreach (var entry in entries)
        {
            Held.Remove(entry);
        }

        try
        {
            await Task.WhenAll(entries.GroupBy(entry => entry.Stream).Select(stream => group.GiveBackAsync(stream.Key, stream.Select(entry => (entry.Id, entry.Deliveries)))))
                .WaitAsync(CloseTimeout, time);
        }
        catch (Exception exception)
        {
            member.Log.NotReleased(member.Subscription.Name, member.ClaimAfter, exception);
        }
    }

    private async Task StopAsync()
    {
        (reading as RedisOrderedReadLoop)?.Stop();
        await stopIntake.CancelAsync();
        deliveries.Writer.TryComplete();
        await Task.WhenAll(member.Blocking.CloseAsync(), member.Bulk.CloseAsync(), running, finding, upkeep.Claiming, upkeep.Sweeping).WaitAsync(CloseTimeout, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // These do not count as delivered for the next owner.
        var buffered = Drain();
        UnackedEntry[] unstarted = [.. Held.ToArray().Where(entry => buffered.Contains(entry.Envelope))];
        foreach (var entry in unstarted)
        {
            entry.MayHaveStarted = false;
        }

        // In an ordered subscription nothing is released before the taken events are settled; otherwise another
        // instance would overtake them.
        if (lease is null)
        {
            await GiveBackUnstartedAsync(unstarted).WaitAsync(CloseTimeout, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task GiveBackUnstartedAsync(UnackedEntry[] unstarted)
    {
        // Runs before the buffered entries are released: afterwards they are no longer held here, and would count as
        // unseen.
        await Task.WhenAll(group.Streams.Select(GiveBackUnseenAsync));
        await GiveBackAsync([.. unstarted.Where(entry => entry.Lose())]);
    }

    private async Task CloseAsync()
    {
        try
        {
            await StopIntakeAsync();
            await settling.CompleteAsync().WaitAsync(CloseTimeout, time);

            // In a shared subscription this is the second time: a read in transit may have been answered after the
            // intake stopped.
            await Task.WhenAll(group.Streams.Select(GiveBackUnseenAsync)).WaitAsync(CloseTimeout, time);
            await GiveBackAsync([.. Held.ToArray().Where(entry => entry.Lose())]);
            await (lease?.ReleaseAsync() ?? Task.CompletedTask).WaitAsync(CloseTimeout, time);
            await group.LeaveAsync().WaitAsync(CloseTimeout, time);
        }
        catch (Exception exception)
        {
            member.Log.NotReleased(member.Subscription.Name, member.ClaimAfter, exception);
        }
        finally
        {
            await close.CancelAsync();
            await Task.WhenAll(settling.CompleteAsync(), keeping, upkeep.Renewing, upkeep.Watching, upkeep.Noting).WaitAsync(CloseTimeout, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stopIntake.Dispose();
            close.Dispose();
        }
    }

    /// <summary>Releases entries that Redis delivered to a read whose answer was not processed.</summary>
    private async Task GiveBackUnseenAsync(RedisKey stream)
    {
        try
        {
            var held = Held.IdsOf(stream);
            var pending = await group.PendingAsync(stream, null, null, MaxUnseen);
            var unseen = pending.Where(each => !held.Contains(each.MessageId) && !RedisGroup.IsGivenBack(each)).Select(each => (each.MessageId, Math.Max(0L, each.DeliveryCount - 1))).ToArray();
            if (unseen.Length > 0)
            {
                await group.GiveBackAsync(stream, unseen);
            }
        }
        catch (RedisServerException)
        {
            // The stream no longer exists, or the key or the rights to it have changed: there is nothing to release.
            // The other streams and the lease are still released.
        }
    }
}
