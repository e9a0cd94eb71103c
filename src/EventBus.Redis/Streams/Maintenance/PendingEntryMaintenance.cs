using System.Runtime.ExceptionServices;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Renews the entries that a receiver holds, takes over those of dead or closed consumers, and records the position of
/// the group.
/// </summary>
internal sealed class PendingEntryMaintenance
{
    private const int Page = 100;
    private const int SweepAfter = 10;

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
        (this.consumer, this.entries, this.dispatcher, this.settler, group) = (consumer, entries, dispatcher, settler, consumer.Group);
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

        // In an ordered subscription the holder of the lease takes over everything.
        consumer.Subscription.Ordered ? Task.CompletedTask : claiming.RunAsync(ClaimAsync, stopIntake));

    /// <summary>Renews the entries and records the position of the group, until the receiver is closed.</summary>
    public Task RunAsync(CancellationToken close) => Task.WhenAll(
        renewing.RunAsync(RenewAsync, close),

        // In an ordered subscription the lease determines what is lost.
        consumer.Subscription.Ordered ? Task.CompletedTask : expiring.RunAsync(ExpireAsync, close),

        // A separate loop, because the renewals must not wait for it.
        recording.RunAsync(stop => consumer.Connector.AnswerAsync(consumer.Positions.RecordAsync(), stop), close));

    /// <summary>
    /// Removes dead consumers. An active consumer is never idle for so long: it reads every second, or renews what it
    /// holds.
    /// </summary>
    private Task SweepAsync(CancellationToken stop) =>
        consumer.Connector.AnswerAsync(group.SweepAsync((consumer.ClaimAfter * SweepAfter) + (RedisConnector.Block * 3)), stop);

    private Task ClaimAsync(CancellationToken stop) => ForEachAsync(group.Streams, stream => ClaimAsync(stream, stop));

    private async Task ClaimAsync(RedisKey stream, CancellationToken stop)
    {
        var cursor = RedisGroup.Start;
        do
        {
            // Claims have capacity in addition to that of reads, so that a flood of new events does not delay abandoned
            // ones.
            var room = Math.Min(Page, consumer.Capacity + group.Streams.Count + consumer.Subscription.Concurrency - entries.Count);
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

    private async Task RenewAsync(CancellationToken stop)
    {
        await ForEachAsync(entries.ToArray().GroupBy(entry => entry.Stream), stream => RenewAsync(stream.Key, [.. stream], stop));

        // The entries of an answer that is in transit are owned by this instance, but not held yet. In an ordered
        // subscription the lease covers them.
        if (!consumer.Subscription.Ordered && dispatcher.Requests.Oldest is { } waited && waited > renewPeriod / 2)
        {
            await ForEachAsync(group.Streams, stream => RenewArrivingAsync(stream, stop));
        }
    }

    private async Task RenewArrivingAsync(RedisKey stream, CancellationToken stop)
    {
        // Renews only entries that were delivered since the request. Entries whose ownership this instance has ended
        // are left to the next claim.
        if (dispatcher.Requests.Oldest is { } waited)
        {
            var now = consumer.Time.GetTimestamp();
            dispatcher.Requests.Renewed(stream, await consumer.Connector.AnswerAsync(group.RenewRecentAsync(stream, waited), stop), now);
        }
    }

    private async Task RenewAsync(RedisKey stream, UnackedEntry[] renewed, CancellationToken stop)
    {
        try
        {
            foreach (var page in renewed.Chunk(Page))
            {
                await consumer.Connector.AnswerAsync(RenewPageAsync(stream, page), stop);
            }
        }
        catch (Exception exception) when (RedisErrors.IsOfKey(exception))
        {
            // The stream or the right to it is gone, and with it the ownership of its entries.
            settler.EndOwnership(renewed);
            throw;
        }
    }

    /// <summary>
    /// Runs an action for each stream, even if it fails for one. Throws the first failure at the end.
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
        var now = consumer.Time.GetTimestamp();
        var gone = await group.RenewAsync(stream, page.Select(entry => entry.Id));
        foreach (var entry in page)
        {
            entry.RenewedAt = now;
        }

        settler.EndOwnership(page.Where(entry => gone.Contains(entry.Id)));
    }
}
