using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Renews the entries that a receiver holds, takes over those of dead or closed consumers, and records the position of
/// the group.
/// </summary>
internal sealed class PendingEntryMaintenance(RedisReceiver receiver, RedisReadLoop reading, RedisConsumer member)
{
    private const int Page = 100;
    private const int SweepAfter = 10;

    private static readonly TimeSpan MaxClaimPeriod = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan MaxNotePeriod = TimeSpan.FromSeconds(10);

    private readonly RedisGroup group = member.Group;
    private readonly RedisTopology names = member.Names;
    private readonly TimeSpan renewPeriod = member.ClaimAfter / 3;
    private readonly ConcurrentDictionary<string, string> failures = new();

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Complaint => failures.Select(each => $"The subscription '{member.Subscription.Name}' cannot {each.Key}: {each.Value}").FirstOrDefault();

    public Task Sweeping { get; private set; } = Task.CompletedTask;

    public Task Claiming { get; private set; } = Task.CompletedTask;

    public Task Renewing { get; private set; } = Task.CompletedTask;

    public Task Watching { get; private set; } = Task.CompletedTask;

    public Task Noting { get; private set; } = Task.CompletedTask;

    public void Start(CancellationToken stopIntake, CancellationToken close)
    {
        // In an ordered subscription the holder of the lease takes over everything.
        Claiming = member.Subscription.Ordered ? Task.CompletedTask : RepeatAsync("take over entries of dead instances", ClaimAsync, renewPeriod < MaxClaimPeriod ? renewPeriod : MaxClaimPeriod, stopIntake);
        Renewing = RepeatAsync("renew its entries", RenewAsync, renewPeriod, close);

        // In an ordered subscription the lease determines what is lost.
        Watching = member.Subscription.Ordered ? Task.CompletedTask : RepeatAsync("release entries that it cannot renew", LetGoAsync, member.ClaimAfter / 12, close);

        Sweeping = RepeatAsync("remove the consumers of dead instances", SweepAsync, member.ClaimAfter, stopIntake);

        // Separate from the renewals, which must not wait for it.
        Noting = RepeatAsync("record its position", stop => member.Connector.AnswerAsync(member.Place.NoteAsync(), stop), renewPeriod < MaxNotePeriod ? renewPeriod : MaxNotePeriod, close);
    }

    private string ActivityOf(string what) => $"{member.Subscription.Name}: {what}";

    /// <summary>
    /// Removes dead consumers. An active consumer is never idle for so long: it reads every second, or renews what it
    /// holds.
    /// </summary>
    private Task SweepAsync(CancellationToken stop) => member.Connector.AnswerAsync(group.SweepAsync((member.ClaimAfter * SweepAfter) + (RedisConnector.Block * 3)), stop);

    /// <param name="what">The action, for the log and the health check if it fails.</param>
    /// <param name="pass">The action.</param>
    /// <param name="period">The time to wait before the action is repeated.</param>
    /// <param name="stop">Ends the loop.</param>
    private async Task RepeatAsync(string what, Func<CancellationToken, Task> pass, TimeSpan period, CancellationToken stop)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await pass(stop);
                if (failures.TryRemove(what, out _))
                {
                    member.Log.Working(ActivityOf(what));
                }
            }
            catch (Exception) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                // The read loop reports outages and other errors that concern Redis as a whole.
                if (!RedisErrors.IsOutage(exception) && !RedisErrors.IsGone(exception) && reading.Complaint is null)
                {
                    failures[what] = exception.Message;
                    member.Log.Failing(ActivityOf(what), exception, full => full.UpkeepFails(member.Subscription.Name, what, exception));
                }
            }

            // After a failure the action is retried soon.
            await Task.Delay(failures.ContainsKey(what) && period > MaxClaimPeriod ? MaxClaimPeriod : period, names.Time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private Task ClaimAsync(CancellationToken stop) => ForEachAsync(group.Streams, stream => ClaimAsync(stream, stop));

    private async Task ClaimAsync(RedisKey stream, CancellationToken stop)
    {
        var cursor = RedisGroup.Start;
        do
        {
            // Claims have capacity in addition to that of reads, so that a flood of new events does not delay abandoned
            // ones.
            var room = Math.Min(Page, member.Capacity + group.Streams.Count + member.Subscription.Concurrency - receiver.Held.Count);
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
        var held = receiver.Held.IdsOf(stream);
        var (next, taken, deleted) = await member.Connector.AnswerAsync(group.ClaimAsync(stream, member.ClaimAfter, cursor, room), stop);
        if (deleted > 0)
        {
            member.Log.EntriesDeleted(deleted, stream!, group.Name);
        }

        (RedisValue Id, int Deliveries)[] unseen = [.. taken.Where(each => !held.Contains(each.Id))];
        if (unseen.Length > 0)
        {
            await receiver.FetchAsync(stream, unseen, stop);
            member.Log.TookOver(group.Name, unseen.Length, stream!);
        }

        return next;
    }

    private async Task RenewAsync(CancellationToken stop)
    {
        await ForEachAsync(receiver.Held.ToArray().GroupBy(entry => entry.Stream), stream => RenewAsync(stream.Key, [.. stream], stop));

        // The entries of a late answer are owned, but not held yet. In an ordered subscription the lease covers them.
        if (!member.Subscription.Ordered && receiver.Arrivals.Oldest is { } waited && waited > renewPeriod / 2)
        {
            await ForEachAsync(group.Streams, stream => RenewArrivingAsync(stream, stop));
        }
    }

    private async Task RenewArrivingAsync(RedisKey stream, CancellationToken stop)
    {
        // Only entries delivered since the request: entries whose ownership this instance has ended stay for the next
        // claim.
        if (receiver.Arrivals.Oldest is { } waited)
        {
            var now = names.Time.GetTimestamp();
            receiver.Arrivals.Renewed(stream, await member.Connector.AnswerAsync(group.KeepRecentAsync(stream, waited), stop), now);
        }
    }

    private async Task RenewAsync(RedisKey stream, UnackedEntry[] entries, CancellationToken stop)
    {
        try
        {
            foreach (var page in entries.Chunk(Page))
            {
                await member.Connector.AnswerAsync(RenewPageAsync(stream, page), stop);
            }
        }
        catch (Exception exception) when (RedisErrors.IsOfKey(exception))
        {
            // The stream or the right to it is gone, and with it the ownership of its entries.
            reading.Lose(entries);
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
            catch (Exception exception) when (exception is RedisServerException or RedisCommandException or InvalidOperationException or FormatException or OverflowException or InvalidCastException)
            {
                failure ??= ExceptionDispatchInfo.Capture(exception);
            }
        }

        failure?.Throw();
    }

    /// <summary>Marks entries that could not be renewed as lost, before another instance can take them over.</summary>
    private Task LetGoAsync(CancellationToken stop)
    {
        reading.Lose(receiver.Held.ToArray().Where(entry => names.Time.GetElapsedTime(entry.RenewedAt) > member.KeepFor));
        return Task.CompletedTask;
    }

    private async Task RenewPageAsync(RedisKey stream, UnackedEntry[] page)
    {
        var now = names.Time.GetTimestamp();
        var gone = await group.KeepAsync(stream, page.Select(entry => entry.Id));
        foreach (var entry in page)
        {
            entry.RenewedAt = now;
        }

        reading.Lose(page.Where(entry => gone.Contains(entry.Id)));
    }
}
