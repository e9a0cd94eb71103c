using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Stores sagas in Redis.</summary>
internal sealed class RedisSagaStore(RedisStoreLink link) : SagaStore
{
    private const int SweepPage = 100;

    private RedisKey[]? keys;

    // In the order of KEYS in RedisSagaScripts.
    private RedisKey[] Keys =>
        keys ??= [link.Key("sagas"), link.Key("sagas:content"), link.Key("sagas:place"), link.Key("sagas:index"), link.Key("counters")];

    private RedisKey Index => Keys[3];

    public override async ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken) =>
        (bool)await link.RunAsync(RedisSagaScripts.Create, Keys, Arguments(entry), cancellationToken);

    public override async ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken)
    {
        var found = await link.RunAsync(RedisSagaScripts.Find, Keys, [id], cancellationToken);
        return found.IsNull ? null : RedisSagaFormat.Read(found);
    }

    public override async ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken) =>
        (bool)await link.RunAsync(RedisSagaScripts.Save, Keys, Arguments(entry), cancellationToken);

    public override ValueTask<DueBatch<SagaEntry>> ListDueAsync(
        IReadOnlyCollection<string> sagas,
        DateTimeOffset now,
        int max,
        CancellationToken cancellationToken) =>
        ListDueAsync(sagas.Distinct(StringComparer.Ordinal).Select(RedisSagaMarks.Due), now, max, cancellationToken);

    public override ValueTask<DueBatch<SagaEntry>> ListAlertsAsync(DateTimeOffset now, int max, CancellationToken cancellationToken) =>
        ListDueAsync([RedisSagaMarks.Alerts], now, max, cancellationToken);

    public override async ValueTask<IReadOnlyList<string>> FindWaitingAsync(string waitKey, int max, CancellationToken cancellationToken)
    {
        var mark = RedisSagaMarks.Waiting(waitKey);
        var found = await link.AskAsync(
            database => database.SortedSetRangeByValueAsync(Index, mark, EndOf(mark), Exclude.Stop, take: max),
            cancellationToken);
        return [.. found.Select(member => RedisSagaMarks.IdOf((string)member!, mark))];
    }

    public override async ValueTask<IReadOnlyList<SagaEntry>> ListAsync(SagaFilter filter, CancellationToken cancellationToken)
    {
        var before = filter.Before is { } number ? RedisSagaMarks.Number(number) : "";
        var found = (RedisResult[])(await link.RunAsync(
            RedisSagaScripts.List,
            Keys,
            [RedisSagaMarks.Matching(filter), before, filter.Take],
            cancellationToken))!;
        return [.. found.Select(RedisSagaFormat.Read)];
    }

    public override async ValueTask<long> CountAsync(SagaFilter filter, CancellationToken cancellationToken)
    {
        var mark = RedisSagaMarks.Matching(filter);
        return await link.AskAsync(
            database => database.SortedSetLengthByValueAsync(Index, mark, EndOf(mark), Exclude.Stop),
            cancellationToken);
    }

    public override async ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken)
    {
        var removed = 0;
        while (removed < max)
        {
            var size = Math.Min(SweepPage, max - removed);
            var swept = await link.RunAsync(RedisSagaScripts.Sweep, Keys, [RedisSagaFormat.Time(now), size], cancellationToken);
            var checkedNow = (int)swept[0];
            removed += (int)swept[1];
            if (checkedNow < size)
            {
                break;
            }
        }

        return removed;
    }

    private async ValueTask<DueBatch<SagaEntry>> ListDueAsync(
        IEnumerable<string> markPrefixes,
        DateTimeOffset now,
        int max,
        CancellationToken cancellationToken)
    {
        var found = (RedisResult[])(await link.RunAsync(
            RedisSagaScripts.ListDue,
            Keys,
            [RedisSagaFormat.Time(now), max, .. markPrefixes.Select(prefix => (RedisValue)prefix)],
            cancellationToken))!;
        return new DueBatch<SagaEntry>([.. found.Skip(1).Select(RedisSagaFormat.Read)], RedisSagaFormat.ReadTime(found[0]));
    }

    /// <summary>
    /// Returns the end of the range of a mark. A mark is followed by a digit, and the colon is the next character after
    /// the digits.
    /// </summary>
    private static string EndOf(string mark) => $"{mark}:";

    /// <summary>Returns the ARGV of <see cref="RedisSagaScripts.Save"/>.</summary>
    private static RedisValue[] Arguments(SagaEntry entry) =>
    [
        entry.Id,
        entry.Version,
        RedisSagaFormat.Time(entry.StartedAt),
        RedisSagaFormat.Escape(entry.Saga),
        RedisSagaFormat.Write(entry),

        // If the entry could not be read, its stored content is left unchanged.
        entry.Defect is null ? 1 : 0,
        entry.Content,
        .. RedisSagaMarks.Of(entry),
    ];
}
