using System.Threading.Channels;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>The live end of one subscription: a loop that reads, and one that settles. <see cref="RedisUpkeep"/> renews and takes over.</summary>
/// <remarks>
/// A lost connection is no loss of ownership here: entries stay pending for the consumer's name, and an acknowledgement after the reconnect is as good as before.
/// Ownership ends when another consumer claims an entry, or when it may have done so because renewing failed for too long.
/// </remarks>
internal sealed class RedisReceiver : Receiver
{
    private const int AckBatch = 256;
    private const int OwnBatch = 256;
    private const int MaxUnseen = 10_000;

    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    private readonly Subscription subscription;
    private readonly RedisGroup group;
    private readonly ConnectionMultiplexer blocking;
    private readonly RedisTopology names;
    private readonly TimeSpan claimAfter;
    private readonly ILogger log;
    private readonly RedisUpkeep upkeep;
    private readonly Channel<Delivery> deliveries = Channel.CreateUnbounded<Delivery>();
    private readonly Channel<HeldEntry> acknowledged = Channel.CreateUnbounded<HeldEntry>();
    private readonly CancellationTokenSource stopIntake = new();
    private readonly CancellationTokenSource close = new();
    private readonly Lock gate = new();
    private Task reading = Task.CompletedTask;
    private Task settling = Task.CompletedTask;
    private Task? stopping;
    private Task? closing;

    public RedisReceiver(Subscription subscription, RedisGroup group, ConnectionMultiplexer blocking, RedisTopology names, TimeSpan claimAfter, ILogger log)
    {
        (this.subscription, this.group, this.blocking, this.names, this.claimAfter, this.log) = (subscription, group, blocking, names, claimAfter, log);
        upkeep = new RedisUpkeep(this, group, subscription, names, claimAfter, log);
    }

    public override ChannelReader<Delivery> Deliveries => deliveries.Reader;

    /// <summary>What is read and not yet acknowledged. Its size is the bound of both channels.</summary>
    public HeldEntries Held { get; } = new();

    /// <param name="live">The group is there. Otherwise it is created as soon as Redis answers, and begins at what comes then.</param>
    public void Start(bool live)
    {
        reading = ReadAsync(live, stopIntake.Token);
        settling = SettleAsync(close.Token);
        upkeep.Start(stopIntake.Token, close.Token);
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

    /// <summary>Hands entries to the bus, and acknowledges those that are not for this subscription.</summary>
    public async Task TakeAsync(RedisKey stream, IEnumerable<(StreamEntry Entry, int EarlierDeliveries)> entries)
    {
        var others = new List<RedisValue>();
        var word = names.WordOf(stream);
        foreach (var (entry, earlier) in entries)
        {
            var envelope = RedisWireFormat.Read(word, entry);
            if (!subscription.Matches(envelope.EventName) && envelope.EventName != RedisWireFormat.Nameless(word))
            {
                others.Add(entry.Id);
                continue;
            }

            var held = new HeldEntry(this, stream, entry.Id, envelope, earlier, names.Time.GetTimestamp());
            if (Held.TryAdd(held) && !deliveries.Writer.TryWrite(held.ToDelivery()))
            {
                // The intake has stopped: the entry stays pending, and is given back with what nobody saw.
                Held.Remove(held);
            }
        }

        await group.AckAsync(stream, [.. others]);
    }

    public void Acknowledge(HeldEntry entry) => acknowledged.Writer.TryWrite(entry);

    /// <summary>Delivers once more, here as long as this receiver takes in, otherwise anywhere.</summary>
    public async ValueTask ReleaseAsync(HeldEntry entry)
    {
        var next = new HeldEntry(this, entry.Stream, entry.Id, entry.Envelope, entry.EarlierDeliveries + 1, entry.RenewedAt);
        if (Held.TryReplace(entry, next) && !deliveries.Writer.TryWrite(next.ToDelivery()))
        {
            await GiveBackAsync(entry.Stream, [next], started: 0);
        }
    }

    private async Task ReadAsync(bool live, CancellationToken stop)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var failures = 0;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if (!live)
                {
                    await group.CreateAsync(RedisGroup.End).WaitAsync(RedisConnector.Answer, names.Time, stop);
                    live = true;
                }

                if (failures > 0)
                {
                    // A reply that was lost with its connection left entries pending that nobody here has seen.
                    await TakeOwnAsync().WaitAsync(stop);
                    log.BackInReach(subscription.Name);
                    failures = 0;
                }

                await ReadOnceAsync(stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                if (failures++ == 0)
                {
                    log.OutOfReach(subscription.Name, exception);
                }

                await RecoverAsync(exception, failures, stop);
            }
        }
    }

    private async Task ReadOnceAsync(CancellationToken stop)
    {
        var removal = Held.NextRemoval();
        var room = (2 * subscription.Concurrency) - Held.Count;
        if (room <= 0)
        {
            await removal.WaitAsync(stop);
            return;
        }

        var found = await group.ReadNewAsync(blocking.GetDatabase(), room).WaitAsync(RedisConnector.Block + RedisConnector.Answer, names.Time, stop);
        foreach (var stream in found.GroupBy(each => each.Stream))
        {
            await TakeAsync(stream.Key, stream.Select(each => (each.Entry, 0))).WaitAsync(RedisConnector.Answer, names.Time, stop);
        }
    }

    private async Task TakeOwnAsync()
    {
        foreach (var stream in group.Streams)
        {
            var after = RedisGroup.Start;
            while (await group.ReadOwnAsync(stream, after, OwnBatch) is { Length: > 0 } page)
            {
                await TakeAsync(stream, page.Where(entry => !entry.IsNull && !Held.Contains(stream, entry.Id)).Select(entry => (entry, 0)));
                after = page[^1].Id;
            }
        }
    }

    private async Task RecoverAsync(Exception exception, int failures, CancellationToken stop)
    {
        try
        {
            if (exception is RedisServerException && exception.Message.StartsWith("NOGROUP", StringComparison.Ordinal))
            {
                log.GroupVanished(group.Name);
                await group.CreateAsync(RedisGroup.Start).WaitAsync(RedisConnector.Answer, names.Time, stop);
                return;
            }

            await Task.Delay(Backoff(failures), names.Time, stop);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or OperationCanceledException)
        {
            // The loop comes back to it, or ends.
        }
    }

    /// <summary>Acknowledges whatever is waiting, together. What fails is tried again for as long as it is ours.</summary>
    private async Task SettleAsync(CancellationToken close)
    {
        var batch = new List<HeldEntry>(AckBatch);
        var failures = 0;
        while (batch.Count > 0 || await acknowledged.Reader.WaitToReadAsync(close))
        {
            while (batch.Count < AckBatch && acknowledged.Reader.TryRead(out var entry))
            {
                batch.Add(entry);
            }

            try
            {
                await Task.WhenAll(batch.GroupBy(entry => entry.Stream).Select(stream => group.AckAsync(stream.Key, [.. stream.Select(entry => entry.Id)])))
                    .WaitAsync(RedisConnector.Answer, names.Time, close);
                foreach (var entry in batch)
                {
                    Held.Remove(entry);
                    entry.Dispose();
                }

                failures = 0;
                batch.Clear();
            }
            catch (Exception exception) when (exception is RedisException or TimeoutException)
            {
                await Task.Delay(Backoff(++failures), names.Time, close);
            }
        }
    }

    private async Task StopAsync()
    {
        await stopIntake.CancelAsync();
        deliveries.Writer.TryComplete();
        var end = blocking.CloseAsync(allowCommandsToComplete: false);
        await Task.WhenAll(end, reading, upkeep.Claiming).WaitAsync(CloseTimeout, names.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await GiveBackUnstartedAsync().WaitAsync(CloseTimeout, names.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Gives back what the bus has not taken: for the next owner it was not handed out.</summary>
    private async Task GiveBackUnstartedAsync()
    {
        var buffered = new HashSet<Envelope>();
        while (deliveries.Reader.TryRead(out var delivery))
        {
            buffered.Add(delivery.Envelope);
        }

        // Before the buffered ones are given back, which are in nobody's hands then either.
        await Task.WhenAll(group.Streams.Select(GiveBackUnseenAsync));
        var unstarted = Held.ToArray().Where(entry => buffered.Contains(entry.Envelope) && entry.Lose()).GroupBy(entry => entry.Stream);
        await Task.WhenAll(unstarted.Select(stream => GiveBackAsync(stream.Key, stream, started: 0)));
    }

    private async Task CloseAsync()
    {
        try
        {
            await StopIntakeAsync();
            acknowledged.Writer.TryComplete();
            await settling.WaitAsync(CloseTimeout, names.Time);
            var left = Held.ToArray().Where(entry => entry.Lose()).GroupBy(entry => entry.Stream);
            await Task.WhenAll(left.Select(stream => GiveBackAsync(stream.Key, stream, started: 1)));
            await group.LeaveAsync().WaitAsync(CloseTimeout, names.Time);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            log.NotGivenBack(subscription.Name, claimAfter, exception);
        }

        await close.CancelAsync();
        await Task.WhenAll(settling, upkeep.Renewing).WaitAsync(CloseTimeout, names.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await blocking.DisposeAsync();
        stopIntake.Dispose();
        close.Dispose();
    }

    /// <summary>Gives entries to the next claim of any instance. If that fails, they are claimed later.</summary>
    /// <param name="stream">Their stream.</param>
    /// <param name="entries">The entries.</param>
    /// <param name="started">1 when the bus may have started them since they arrived, otherwise 0.</param>
    private async Task GiveBackAsync(RedisKey stream, IEnumerable<HeldEntry> entries, int started)
    {
        HeldEntry[] all = [.. entries];
        foreach (var entry in all)
        {
            Held.Remove(entry);
        }

        try
        {
            await group.GiveBackAsync(stream, all.Select(entry => (entry.Id, (long)entry.EarlierDeliveries + started))).WaitAsync(CloseTimeout, names.Time);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            log.NotGivenBack(subscription.Name, claimAfter, exception);
        }
    }

    /// <summary>Gives back what Redis handed out to a read whose answer nobody took.</summary>
    private async Task GiveBackUnseenAsync(RedisKey stream)
    {
        var pending = await group.PendingAsync(stream, null, null, MaxUnseen);
        var unseen = pending.Where(each => !Held.Contains(stream, each.MessageId)).Select(each => (each.MessageId, Math.Max(0L, each.DeliveryCount - 1))).ToArray();
        if (unseen.Length > 0)
        {
            await group.GiveBackAsync(stream, unseen);
        }
    }

    private static TimeSpan Backoff(int failures) => TimeSpan.FromMilliseconds(Math.Min(2_000, 50 << Math.Min(failures, 6)) * (0.5 + (Random.Shared.NextDouble() / 2)));
}
