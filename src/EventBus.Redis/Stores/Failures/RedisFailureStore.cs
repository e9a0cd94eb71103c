using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Stores failed events in Redis. Every step is one script, which may be repeated if its reply was lost.
/// </summary>
internal sealed class RedisFailureStore : KeyedFailureStore
{
    private readonly RedisStoreLink link;
    private readonly RedisFailureKeys keys;
    private readonly RedisFailureClaims claims;
    private readonly RedisCallDeduplicator deduplicator = new();

    public RedisFailureStore(RedisStoreLink link)
    {
        this.link = link;
        keys = new RedisFailureKeys(link);
        claims = new RedisFailureClaims(link, keys);
        DeadLetters = new RedisDeadLetterStore(link, keys);
    }

    public override DeadLetterStore DeadLetters { get; }

    public override async ValueTask<bool> RecordAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        await StoreAsync(RedisFailureScripts.Record, "record", entry, [], cancellationToken) == 1;

    public override async ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken) =>
        await StoreAsync(RedisFailureScripts.Park, "park", entry, [limit], cancellationToken) switch
        {
            0 => ParkOutcome.NotBlocked,
            1 => ParkOutcome.Parked,
            _ => ParkOutcome.LineFull,
        };

    public override async ValueTask<DeferOutcome> DeferAsync(
        FailedEvent entry,
        long stamp,
        int limit,
        CancellationToken cancellationToken) =>
        await StoreAsync(RedisFailureScripts.Defer, "defer", entry with { LineKey = null }, [limit, stamp], cancellationToken) switch
        {
            0 => DeferOutcome.Deferred,
            1 => DeferOutcome.Changed,
            _ => DeferOutcome.Full,
        };

    public override async ValueTask<AttemptCount?> CountAttemptAsync(
        string subscription,
        string eventId,
        AttemptCount added,
        DateTimeOffset now,
        CancellationToken cancellationToken)
    {
        var id = FailedEvent.MakeId(subscription, eventId);
        var count = (int[]?)await deduplicator.RunAsync($"start {id} {added.Attempts}", token => link.RunAsync(
            RedisAttemptScripts.CountAttempts,
            keys.For(subscription),
            [id, RedisTime.Write(now), token, added.Attempts, added.Concurrent],
            cancellationToken));
        return count is [var attempts, var concurrent] ? new AttemptCount(attempts, concurrent) : null;
    }

    public override async ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken) =>
        await link.RunAsync(
            RedisAttemptScripts.ForgetAttempts,
            keys.For(subscription),
            [FailedEvent.MakeId(subscription, eventId)],
            cancellationToken);

    public override async ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(
        IReadOnlyCollection<string> subscriptions, DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken) =>
        await claims.ClaimDueAsync(subscriptions, now, lease, max, cancellationToken);

    public override async ValueTask<bool> BeginAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        (bool)await link.RunAsync(
            RedisFailureClaimScripts.Begin,
            keys.For(entry.Subscription),
            [entry.Id, entry.Claim, entry.Attempts, entry.Concurrent],
            cancellationToken);

    public override async ValueTask<IReadOnlyList<string>> RenewAsync(
        IReadOnlyCollection<FailedEvent> claimed,
        DateTimeOffset until,
        CancellationToken cancellationToken) =>
        await claims.RenewAsync(claimed, until, cancellationToken);

    public override async ValueTask CompleteAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        await link.RunAsync(RedisFailureClaimScripts.Complete, keys.For(entry.Subscription), [entry.Id, entry.Claim], cancellationToken);

    public override async ValueTask<(long Stamp, long? Position)> GetOrderAsync(
        string subscription, string orderKey, CancellationToken cancellationToken)
    {
        var stored = (string?)await link.AskAsync(
            database => database.HashGetAsync(keys.Orders, RedisFailureKeys.Prefix(subscription, orderKey)),
            cancellationToken);

        // A key that is missing or damaged has the stamp 0 and no position, as in order_of (RedisFailureOrderLua).
        return stored?.Split(' ') is [var stampText, var rank] && long.TryParse(stampText, out var stamp)
            ? (stamp, RedisRank.Read(rank))
            : default;
    }

    public override async ValueTask<bool> AdvanceAsync(
        string subscription,
        string orderKey,
        long? position,
        DateTimeOffset now,
        CancellationToken cancellationToken) =>
        (bool)await link.RunAsync(
            RedisOrderKeyScripts.Advance,
            keys.For(subscription),
            [
                RedisFailureKeys.Prefix(subscription, orderKey),
                position is { } number ? RedisRank.Write(number) : "",
                RedisTime.Write(now)
            ],
            cancellationToken);

    public override async ValueTask SweepAsync(
        DateTimeOffset attemptsBefore,
        DateTimeOffset orderBefore,
        int max,
        CancellationToken cancellationToken) =>
        await link.RunAsync(
            RedisAttemptScripts.Sweep,
            keys.For(),
            [RedisTime.Write(attemptsBefore), RedisTime.Write(orderBefore), max],
            cancellationToken);

    public override async ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        await link.AskAsync(database => database.HashLengthAsync(keys.States), cancellationToken);

    public override ValueTask<IReadOnlyList<FailureCounts>?> CountByStateAsync(CancellationToken cancellationToken) =>
        new RedisFailureCounter(link, keys).ReadAsync(cancellationToken);

    public override async ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        await link.AskAsync(
            database => database.SortedSetLengthAsync(keys.Due, double.NegativeInfinity, RedisTime.Write(now)),
            cancellationToken);

    /// <inheritdoc cref="RedisFailureClaims.UndoUnansweredAsync"/>
    public Task UndoUnansweredClaimAsync(CancellationToken cancellationToken) => claims.UndoUnansweredAsync(cancellationToken);

    private async Task<int> StoreAsync(
        string script, string call, FailedEvent entry, RedisValue[] moreArguments, CancellationToken cancellationToken)
    {
        // The event of a claimed entry is stored already, and does not change.
        var isNew = entry.Claim == 0;
        RedisValue attributes = isNew ? StoreFormat.WriteAttributes(entry.Envelope) : "";
        RedisValue body = isNew ? entry.Envelope.Body : "";
        return (int)await deduplicator.RunAsync($"{call} {entry.Id} {entry.Claim} {entry.LastFailedAt.UtcTicks}", token => link.RunAsync(
            script,
            keys.For(entry.Subscription),
            [
                entry.Id,
                entry.Subscription,
                entry.Claim,
                RedisFailureStateFormat.Write(entry, token),
                RedisFailureErrorFormat.Write(entry),
                attributes,
                body,
                .. moreArguments
            ],
            cancellationToken));
    }
}
