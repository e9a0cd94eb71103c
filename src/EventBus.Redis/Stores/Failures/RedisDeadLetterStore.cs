using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Stores the dead letters in Redis. Lists, counts and sweeps them page by page, so that no reply of Redis grows with
/// their number.
/// </summary>
internal sealed class RedisDeadLetterStore(RedisStoreLink link, RedisFailureKeys keys) : DeadLetterStore
{
    private const int LoadPage = 50;
    private const int ScanPage = 500;

    private readonly RedisDeadLetterPages pages = new(link, keys);
    private readonly RedisDeadLetterAlerts alerts = new(link, keys);
    private readonly RedisDeadLetterSweep sweep = new(link, keys);

    public override async ValueTask<IReadOnlyList<FailedEvent>> ListAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        if (filter.EventId is { } eventId)
        {
            var found = await LoadAsync(await IdsOfAsync(eventId, filter.Subscription, cancellationToken), cancellationToken);
            return [.. found
                .Where(entry => filter.Before is null || entry.Number < filter.Before)
                .Where(entry => RedisDeadLetterPages.Matches(filter, entry.Envelope.Name, entry))
                .OrderByDescending(entry => entry.Number)
                .Take(filter.Take)];
        }

        var listed = new List<FailedEvent>();
        var before = filter.Before;
        while (listed.Count < filter.Take)
        {
            var size = RedisDeadLetterPages.IsIndexed(filter) ? Math.Min(LoadPage, filter.Take - listed.Count) : ScanPage;
            var page = await pages.DescendingAsync(filter, before, size, cancellationToken);
            var matching = page.Where(each => each.Matches).Take(filter.Take - listed.Count).Select(each => each.Id);
            foreach (var ids in matching.Chunk(LoadPage))
            {
                listed.AddRange(await LoadAsync(ids, cancellationToken));
            }

            if (page.Count < size)
            {
                break;
            }

            before = page[^1].Number;
        }

        return listed;
    }

    public override async ValueTask<IReadOnlyList<(string Id, long Number)>> ListIdsAsync(
        DeadLetterFilter filter, long after, CancellationToken cancellationToken)
    {
        if (filter.EventId is not null)
        {
            var found = await ListAsync(filter with { Take = int.MaxValue }, cancellationToken);
            return [.. found.Where(entry => entry.Number > after).Reverse().Take(filter.Take).Select(entry => (entry.Id, entry.Number))];
        }

        var listed = new List<(string Id, long Number)>();
        while (listed.Count < filter.Take)
        {
            var size = RedisDeadLetterPages.IsIndexed(filter) ? Math.Min(ScanPage, filter.Take - listed.Count) : ScanPage;
            var page = await pages.AscendingAsync(filter, after, size, cancellationToken);
            listed.AddRange(page.Where(each => each.Matches).Take(filter.Take - listed.Count).Select(each => (each.Id, each.Number)));
            if (page.Count < size)
            {
                break;
            }

            after = page[^1].Number;
        }

        return listed;
    }

    public override async ValueTask<long> MeasureUnreadableAsync(string subscription, int above, CancellationToken cancellationToken) =>
        (long)await link.RunAsync(
            RedisDeadLetterQueries.MeasureUnreadable,
            [keys.Large],
            [FailedEvent.MakeId(subscription, ""), above],
            cancellationToken);

    public override async ValueTask<long> CountAsync(DeadLetterFilter filter, CancellationToken cancellationToken)
    {
        if (filter.EventId is not null)
        {
            return (await ListAsync(filter with { Before = null, Take = int.MaxValue }, cancellationToken)).Count;
        }

        if (RedisDeadLetterPages.IsIndexed(filter))
        {
            return await link.AskAsync(database => database.SortedSetLengthAsync(pages.IndexOf(filter)), cancellationToken);
        }

        var count = 0L;
        long? before = null;
        IReadOnlyList<(string Id, long Number, bool Matches)> page;
        do
        {
            page = await pages.DescendingAsync(filter, before, ScanPage, cancellationToken);
            count += page.LongCount(each => each.Matches);
            before = page.Count > 0 ? page[^1].Number : before;
        }
        while (page.Count == ScanPage);

        return count;
    }

    public override async ValueTask<FailedEvent?> FindAsync(string id, CancellationToken cancellationToken) =>
        (await LoadAsync([id], cancellationToken)).FirstOrDefault();

    public override async ValueTask<bool> RetryAsync(string id, DateTimeOffset now, CancellationToken cancellationToken) =>
        (bool)await link.RunAsync(RedisDeadLetterScripts.RetryDead, keys.ForEntry(id), [id, RedisTime.Write(now)], cancellationToken);

    public override async ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken) =>
        (bool)await link.RunAsync(RedisDeadLetterScripts.Discard, keys.ForEntry(id), [id, ""], cancellationToken);

    public override async ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken) =>
        await alerts.ClaimAsync(now, lease, max, cancellationToken);

    public override async ValueTask MarkAlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken) =>
        await alerts.MarkSentAsync(sent, cancellationToken);

    public override async ValueTask<int> SweepAsync(DateTimeOffset before, int max, CancellationToken cancellationToken) =>
        await sweep.RunAsync(before, max, cancellationToken);

    /// <summary>Reads the dead letters with the given ids. Ids without a dead letter are skipped.</summary>
    private async Task<IReadOnlyList<FailedEvent>> LoadAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken)
    {
        if (ids.Count == 0)
        {
            return [];
        }

        var rows = (RedisResult[])(await link.RunAsync(
            RedisDeadLetterQueries.Load,
            keys.Load,
            [.. ids.Select(id => (RedisValue)id)],
            cancellationToken))!;
        return [.. rows
            .Select(row => (
                Entry: RedisFailureFormat.Read((string)row[0]!, new StoredFailure(row[2], row[3], row[4], row[5])),
                Number: (long)(double)row[1]))
            .Where(found => found.Entry.Status == FailedEventStatus.Dead)
            .Select(found => found.Entry with { Number = found.Number })];
    }

    /// <summary>Gets the ids that the entries of an event can have: one for each subscription.</summary>
    private async Task<string[]> IdsOfAsync(string eventId, string? subscription, CancellationToken cancellationToken) =>
        subscription is not null
            ? [FailedEvent.MakeId(subscription, eventId)]
            : [.. (await link.AskAsync(database => database.SetMembersAsync(keys.Subscriptions), cancellationToken)).Select(
                name => FailedEvent.MakeId(name!, eventId))];
}
