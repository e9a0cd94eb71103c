using System.Globalization;
using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Stores the handled events in Redis. Effects of handlers are not supported, because they cannot join a commit in
/// Redis.
/// </summary>
internal sealed class RedisProcessedEventStore(RedisStoreLink link) : ProcessedEventStore
{
    private const int SweepPage = 200;

    // The time that a claim is kept after the end of its lease. It no longer blocks other attempts, but a slow owner
    // may still complete it. A claim remains if its process ended during the attempt, and the event was not attempted
    // again.
    private static readonly TimeSpan AbandonedRetention = TimeSpan.FromDays(1);

    private readonly RedisCallDeduplicator deduplicator = new();
    private RedisKey[]? keys;

    // In the order of KEYS in RedisProcessedScripts.
    private RedisKey[] Keys => keys ??= [
        link.Key("processed"),
        link.Key("processed:outbox"),
        link.Key("processed:ends"),
        link.Key("processed:claims"),
        link.Key("counters")
    ];

    private RedisKey Rows => Keys[0];

    public override async ValueTask<ProcessedClaim> ClaimAsync(
        ProcessedKey key,
        long fingerprint,
        DateTimeOffset now,
        TimeSpan lease,
        CancellationToken cancellationToken)
    {
        var id = IdOf(key);
        var until = now + lease;
        var claim = await deduplicator.RunAsync(id, token => link.RunAsync(
            RedisProcessedScripts.Claim,
            Keys,
            [id, fingerprint, RedisTime.Write(now), RedisTime.Write(until), RedisTime.Write(until + AbandonedRetention), token],
            cancellationToken));
        var state = (int)claim[0] switch
        {
            0 => ProcessedState.New,
            1 => ProcessedState.InProgress,
            _ => ProcessedState.Done,
        };

        // A fingerprint that is no number, for example after a manual change, becomes 0.
        long.TryParse((string?)claim[2], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var storedFingerprint);
        var outbox = claim[3].IsNull ? [] : StoreFormat.ReadOutbox((byte[])claim[3]!, key.Key);
        return new ProcessedClaim(state, (long)claim[1], storedFingerprint, outbox);
    }

    public override async ValueTask<bool> RenewAsync(
        ProcessedKey key,
        long fencingToken,
        DateTimeOffset until,
        CancellationToken cancellationToken) =>
        (bool)await link.RunAsync(
            RedisProcessedScripts.Renew,
            Keys,
            [IdOf(key), fencingToken, RedisTime.Write(until), RedisTime.Write(until + AbandonedRetention)],
            cancellationToken);

    public override async ValueTask<bool> CompleteAsync(
        ProcessedKey key,
        long fencingToken,
        Completion completion,
        CancellationToken cancellationToken)
    {
        if (completion.Effects.Count > 0)
        {
            throw new InvalidOperationException("Redis runs no effects of a handler in its commit.");
        }

        RedisValue outbox = completion.Outbox.Count > 0 ? StoreFormat.WriteOutbox(completion.Outbox) : "";
        return (bool)await link.RunAsync(
            RedisProcessedScripts.Complete,
            Keys,
            [IdOf(key), fencingToken, RedisTime.Write(completion.KeepUntil), outbox],
            cancellationToken);
    }

    public override async ValueTask MarkDispatchedAsync(ProcessedKey key, CancellationToken cancellationToken) =>
        await link.RunAsync(RedisProcessedScripts.Dispatched, Keys, [IdOf(key)], cancellationToken);

    public override async ValueTask ReleaseAsync(ProcessedKey key, long fencingToken, CancellationToken cancellationToken) =>
        await link.RunAsync(RedisProcessedScripts.Release, Keys, [IdOf(key), fencingToken], cancellationToken);

    public override async ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken)
    {
        var removed = 0;
        while (removed < max)
        {
            var size = Math.Min(SweepPage, max - removed);
            var swept = await link.RunAsync(RedisProcessedScripts.Sweep, Keys, [RedisTime.Write(now), size], cancellationToken);
            var checkedNow = (int)swept[0];
            removed += (int)swept[1];
            if (checkedNow < size)
            {
                break;
            }
        }

        return removed;
    }

    public override async ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        await link.AskAsync(database => database.HashLengthAsync(Rows), cancellationToken);

    // Unambiguous, because names of subscriptions contain no tilde.
    private static string IdOf(ProcessedKey key) => $"{key.Subscription}~{key.Key}";
}
