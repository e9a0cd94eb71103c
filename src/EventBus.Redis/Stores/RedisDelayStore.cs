using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Delayed events in Redis.</summary>
internal sealed class RedisDelayStore(RedisStoreLink link, ILogger log) : DelayStore
{
    private RedisKey[]? keys;
    private bool isUsed;
    private int saidThatNoneIsPublished;

    private RedisKey[] Keys => keys ??= [link.Key("delayed:event"), link.Key("delayed:body"), link.Key("delayed:due"), link.Key("delayed:turn")];

    public override async ValueTask AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken cancellationToken)
    {
        await link.RunAsync(RedisDelayScripts.Add, Keys, [envelope.EventId, RedisTime.Write(dueAt), StoreFormat.WriteAttributes(envelope), envelope.Body], cancellationToken);
        isUsed = true;
    }

    public override async ValueTask<DueBatch<Envelope>> ClaimDueAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken)
    {
        RedisResult[] rows;
        try
        {
            rows = (RedisResult[])(await link.RunAsync(RedisDelayScripts.Claim, Keys, [RedisTime.Write(now), RedisTime.Write(now + lease), max], cancellationToken))!;
        }
        catch (StoreRefusedException exception) when (!isUsed && exception.InnerException is { } refusal && RedisRefusal.IsDenied(refusal))
        {
            // A process that publishes without delays needs no right to this.
            if (Interlocked.Exchange(ref saidThatNoneIsPublished, 1) == 0)
            {
                log.DelaysDenied();
            }

            return new DueBatch<Envelope>([], null);
        }

        var due = new List<Envelope>(rows.Length);
        foreach (var row in rows.Skip(1))
        {
            var id = (string)row[0]!;
            if (TryRead(id, row) is { } envelope)
            {
                due.Add(envelope);
                continue;
            }

            // It cannot be published, and must not be removed as if it had been.
            await link.RunAsync(RedisDelayScripts.SetAside, Keys, [id], cancellationToken);
            log.DelayedUnreadable(id);
        }

        return new DueBatch<Envelope>(due, RedisTime.ReadScore(rows[0]));
    }

    public override async ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken) =>
        await link.RunAsync(RedisDelayScripts.Remove, Keys, [envelope.EventId], cancellationToken);

    public override async ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        await link.AskAsync(database => database.HashLengthAsync(Keys[0]), cancellationToken);

    public override async ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        await link.AskAsync(database => database.SortedSetLengthAsync(Keys[2], double.NegativeInfinity, RedisTime.Write(now)), cancellationToken);

    private static Envelope? TryRead(string id, RedisResult row)
    {
        // Attributes that cannot be read come back with the id that is given here.
        var envelope = row[2].IsNull ? null : StoreFormat.Read((byte[]?)row[1] ?? [], (byte[])row[2]!, "", RedisFailureFormat.Nameless);
        return envelope?.EventId == id ? envelope : null;
    }
}
