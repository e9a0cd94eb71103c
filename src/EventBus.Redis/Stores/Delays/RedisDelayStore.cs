using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Stores delayed events in Redis.</summary>
internal sealed class RedisDelayStore(RedisStoreLink link, ILogger log) : DelayStore
{
    private RedisKey[]? keys;

    // True after this process has delayed an event.
    private bool isUsed;

    // 1 after it was logged that this process publishes no delayed events.
    private int isDenialLogged;

    // In the order of KEYS in RedisDelayScripts.
    private RedisKey[] Keys =>
        keys ??= [link.Key("delayed:event"), link.Key("delayed:body"), link.Key("delayed:due"), link.Key("delayed:turn")];

    private RedisKey Events => Keys[0];

    private RedisKey Due => Keys[2];

    public override async ValueTask AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken cancellationToken)
    {
        try
        {
            await link.RunAsync(
                RedisDelayScripts.Add,
                Keys,
                [envelope.Id, RedisTime.Write(dueAt), StoreFormat.WriteAttributes(envelope), envelope.Body],
                cancellationToken);
        }
        catch (Exception exception) when (RefusalOf(exception) is { } refusal)
        {
            throw refusal;
        }

        isUsed = true;
    }

    public override async ValueTask<DueBatch<Envelope>> ClaimDueAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
    {
        RedisResult[] rows;
        try
        {
            rows = (RedisResult[])(await link.RunAsync(
                RedisDelayScripts.Claim,
                Keys,
                [RedisTime.Write(now), RedisTime.Write(now + lease), max],
                cancellationToken))!;
        }
        catch (StoreRefusedException exception)
            when (!isUsed && !link.HasSubscriptions && exception.InnerException is { } refusal && RedisErrors.IsDenied(refusal))
        {
            // A process without subscriptions that delays no events does not need the right to these keys. A process
            // with subscriptions needs it, because it publishes the events that others have delayed.
            if (Interlocked.Exchange(ref isDenialLogged, 1) == 0)
            {
                log.DelaysDenied();
            }

            return new DueBatch<Envelope>([], null);
        }

        return new DueBatch<Envelope>([.. rows.Skip(1).Select(Read)], RedisTime.ReadScore(rows[0]));
    }

    public override async ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken) =>
        await link.RunAsync(RedisDelayScripts.Remove, Keys, [envelope.Id], cancellationToken);

    public override async ValueTask<IReadOnlyList<DelayedEvent>> ListAsync(int max, CancellationToken cancellationToken)
    {
        var rows = (RedisResult[])(await link.RunAsync(RedisDelayScripts.List, Keys, [max], cancellationToken))!;
        return [.. rows.Select(row =>
        {
            var id = (string)row[0]!;
            var envelope = StoreFormat.Read((byte[]?)row[2] ?? [], [], id, CloudEventAttributes.UnreadableType);
            return new DelayedEvent
            {
                EventId = id,
                EventName = envelope.Name,
                Key = envelope.Key,
                DueAt = RedisTime.ReadScore(row[1])!.Value
            };
        })];
    }

    public override async ValueTask<bool> CancelAsync(string eventId, CancellationToken cancellationToken) =>
        (bool)await link.RunAsync(RedisDelayScripts.Cancel, Keys, [eventId], cancellationToken);

    public override async ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        await link.AskAsync(database => database.HashLengthAsync(Events), cancellationToken);

    public override async ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        await link.AskAsync(
            database => database.SortedSetLengthAsync(Due, double.NegativeInfinity, RedisTime.Write(now)),
            cancellationToken);

    /// <summary>
    /// Returns a refusal for a failure that certainly had no effect, so that the publish is retried within its
    /// deadline, or rejected if a retry cannot help. Returns null if the outcome is unknown.
    /// </summary>
    private static StoreRefusedException? RefusalOf(Exception exception)
    {
        var cause = exception is StoreRefusedException { InnerException: { } inner } ? inner : exception;
        if (!RedisErrors.IsWithoutEffect(cause))
        {
            return null;
        }

        if (RedisErrors.IsPermanent(cause))
        {
            return new StoreRefusedException(StoreScope.Entry, $"Redis refuses the delayed event: {cause.Message}", cause);
        }

        return exception as StoreRefusedException
            ?? new StoreRefusedException(StoreScope.Store, $"Redis did not accept the delayed event: {cause.Message}", cause);
    }

    /// <summary>
    /// Reads an event. Returns a placeholder with a defect if the event cannot be read, or if its id differs from the
    /// id that it is stored under.
    /// </summary>
    private static Envelope Read(RedisResult row)
    {
        var id = (string)row[0]!;
        var body = (byte[]?)row[2];
        var envelope = StoreFormat.Read((byte[]?)row[1] ?? [], body ?? [], id, CloudEventAttributes.UnreadableType);
        if (body is not null && envelope.Id == id)
        {
            return envelope;
        }

        var defect = body is null ? "The body of the stored event is missing." : "The stored attributes are those of another event.";
        return new Envelope(
            new EnvelopeAttributes { Id = id, Name = CloudEventAttributes.UnreadableType, Defect = envelope.Defect ?? defect },
            body ?? []);
    }
}
