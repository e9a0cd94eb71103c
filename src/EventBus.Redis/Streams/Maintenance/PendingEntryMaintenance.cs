using System.Runtime.ExceptionServices;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Renews the entries that a receiver holds, takes over those of dead or closed consumers, and records the position of
/// the group.
/// </summary>
internal sealed class PendingEntryMaintenance
{
    private const int PageSize = 100;

    // The multiple of ClaimAfter after which an idle consumer is removed.
    private const int RemoveAfter = 10;

    private static readonly TimeSpan MaxClaimPeriod = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan MaxRecordPeriod = TimeSpan.FromSeconds(10);

    private readonly RedisConsumer consumer;
    private readonly RedisGroup group;
    private readonly UnackedEntries entries;
    private readonly EntryDispatcher dispatcher;
    private readonly EntrySettler settler;
    private readonly TimeSpan renewPeriod;
    private readonly MaintenanceLoop claiming;
    private readonly MaintenanceLoop sweeping;
    private readonly MaintenanceLoop renewing;
    private readonly MaintenanceLoop expiring;
    private readonly MaintenanceLoop recording;

    /// <summary>Creates the loops.</summary>
    /// <param name="consumer">The consumer.</param>
    /// <param name="entries">The entries that are held.</param>
    /// <param name="dispatcher">Delivers the entries that are taken over.</param>
    /// <param name="settler">Ends the ownership of entries that could not be renewed.</param>
    /// <param name="reading">The read loop, which reports outages.</param>
    public PendingEntryMaintenance(
        RedisConsumer consumer, UnackedEntries entries, EntryDispatcher dispatcher, EntrySettler settler, RedisReadLoop reading)
    {
        this.consumer = consumer;
        this.entries = entries;
        this.dispatcher = dispatcher;
        this.settler = settler;
        group = consumer.Group;
        renewPeriod = consumer.ClaimAfter / 3;
        claiming = Loop("take over entries of dead instances", renewPeriod < MaxClaimPeriod ? renewPeriod : MaxClaimPeriod);
        sweeping = Loop("remove the consumers of dead instances", consumer.ClaimAfter);
        renewing = Loop("renew its entries", renewPeriod);
        expiring = Loop("release entries that it cannot renew", consumer.ClaimAfter / 12);
        recording = Loop("record its position", renewPeriod < MaxRecordPeriod ? renewPeriod : MaxRecordPeriod);

        MaintenanceLoop Loop(string purpose, TimeSpan period) => new(consumer, purpose, period, reading);
    }

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem => claiming.Problem ?? renewing.Problem ?? expiring.Problem ?? sweeping.Problem ?? recording.Problem;

    /// <summary>Takes over entries and removes dead consumers, until the intake stops.</summary>
    public Task RunIntakeAsync(CancellationToken stopIntake) => Task.WhenAll(
        sweeping.RunAsync(SweepAsync, stopIntake),

        // In an ordered subscription the read loop of the holder of the lease takes over the entries.
        consumer.Subscription.Ordered ? Task.CompletedTask : claiming.RunAsync(ClaimAllAsync, stopIntake));

    /// <summary>Renews the entries and records the position of the group, until the receiver is closed.</summary>
    public Task RunAsync(CancellationToken close) => Task.WhenAll(
        renewing.RunAsync(RenewAllAsync, close),

        // In an ordered subscription the ownership of the entries ends with the lease.
        consumer.Subscription.Ordered ? Task.CompletedTask : expiring.RunAsync(ExpireAsync, close),

        // A separate loop, because the renewals must not wait for it.
        recording.RunAsync(stop => consumer.Connector.AnswerAsync(consumer.Positions.RecordAsync(), stop), close));

    /// <summary>
    /// Removes dead consumers. An active consumer is never idle for so long: it reads every second, or renews the
    /// entries that it holds.
    /// </summary>
    private Task SweepAsync(CancellationToken stop) =>
        consumer.Connector.AnswerAsync(group.SweepAsync((consumer.ClaimAfter * RemoveAfter) + (RedisConnector.BlockTime * 3)), stop);

    private Task ClaimAllAsync(CancellationToken stop) => ForEachAsync(group.Streams, stream => ClaimStreamAsync(stream, stop));

    private async Task ClaimStreamAsync(RedisKey stream, CancellationToken stop)
    {
        var cursor = RedisGroup.Start;
        do
        {
            // Reads hold at most Capacity entries, and one more of each stream. Claims may exceed that by the number of
            // handlers, so that a flood of new events does not delay the entries of dead consumers.
            var room = Math.Min(PageSize, consumer.Capacity + group.Streams.Count + consumer.Subscription.Concurrency - entries.Count);
            if (room <= 0)
            {
                return;
            }

            cursor = await ClaimPageAsync(stream, cursor, room, stop);
        }
        while (cursor != RedisGroup.Start && !stop.IsCancellationRequested);
    }

    private async Task<RedisValue> ClaimPageAsync(RedisKey stream, RedisValue cursor, int room, CancellationToken stop)
    {
        var held = entries.IdsOf(stream);
        var claim = group.ClaimAsync(stream, consumer.ClaimAfter, cursor, room);
        var (next, taken, deleted) = await consumer.Connector.AnswerAsync(claim, stop);
        if (deleted > 0)
        {
            consumer.Log.EntriesDeleted(deleted, stream!, group.Name);
        }

        (RedisValue Id, int Deliveries)[] unseen = [.. taken.Where(each => !held.Contains(each.Id))];
        if (unseen.Length > 0)
        {
            await dispatcher.FetchAsync(stream, unseen, stop);
            consumer.Log.TookOver(group.Name, unseen.Length, stream!);
        }

        return next;
    }

    private async Task RenewAllAsync(CancellationToken stop)
    {
        var heldByStream = entries.ToArray().GroupBy(entry => entry.Stream);
        await ForEachAsync(heldByStream, held => RenewHeldAsync(held.Key, [.. held], stop));

        // The entries of an answer that is in transit are owned by this instance, but not held yet. In an ordered
        // subscription the lease covers them.
        var longestWait = dispatcher.Requests.LongestWait;
        if (!consumer.Subscription.Ordered && longestWait > renewPeriod / 2)
        {
            await ForEachAsync(group.Streams, stream => RenewInTransitAsync(stream, stop));
        }
    }

    private async Task RenewInTransitAsync(RedisKey stream, CancellationToken stop)
    {
        // Renews only entries that were delivered since the oldest request. Entries whose ownership this instance has
        // ended are left to the next claim.
        var longestWait = dispatcher.Requests.LongestWait;
        if (longestWait is not null)
        {
            var sentAt = consumer.Time.GetTimestamp();
            var renewed = await consumer.Connector.AnswerAsync(group.RenewRecentAsync(stream, longestWait.Value), stop);
            dispatcher.Requests.RecordRenewal(stream, renewed, sentAt);
        }
    }

    private async Task RenewHeldAsync(RedisKey stream, UnackedEntry[] held, CancellationToken stop)
    {
        try
        {
            foreach (var page in held.Chunk(PageSize))
            {
                await consumer.Connector.AnswerAsync(RenewPageAsync(stream, page), stop);
            }
        }
        catch (Exception exception) when (RedisErrors.IsOfKey(exception))
        {
            // The key is not a stream, or the user has lost the right to it: nothing can renew the entries.
            settler.EndOwnership(held);
            throw;
        }
    }

    /// <summary>
    /// Runs an action for each stream, even if Redis refuses it for one or the answer is malformed. Throws the first of
    /// these errors at the end. An outage, which concerns all streams, ends the loop at once.
    /// </summary>
    private static async Task ForEachAsync<T>(IEnumerable<T> streams, Func<T, Task> action)
    {
        ExceptionDispatchInfo? failure = null;
        foreach (var stream in streams)
        {
            try
            {
                await action(stream);
            }
            catch (Exception exception) when (exception is RedisServerException or RedisCommandException
                or InvalidOperationException or FormatException or OverflowException or InvalidCastException)
            {
                failure ??= ExceptionDispatchInfo.Capture(exception);
            }
        }

        failure?.Throw();
    }

    /// <summary>Marks entries that could not be renewed as lost, before another instance can take them over.</summary>
    private Task ExpireAsync(CancellationToken stop)
    {
        settler.EndOwnership(entries.ToArray().Where(entry => consumer.Time.GetElapsedTime(entry.RenewedAt) > consumer.KeepFor));
        return Task.CompletedTask;
    }

    private async Task RenewPageAsync(RedisKey stream, UnackedEntry[] page)
    {
        var sentAt = consumer.Time.GetTimestamp();
        var gone = await group.RenewAsync(stream, page.Select(entry => entry.Id));
        foreach (var entry in page)
        {
            entry.RenewedAt = sentAt;
        }

        settler.EndOwnership(page.Where(entry => gone.Contains(entry.Id)));
    }
}
