using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Publishes lists of events, each list as one transaction, without other commands in between. Thread-safe.
/// </summary>
/// <remarks>
/// If Redis refuses the transaction as a whole (memory, rights), all events are refused. If a key is not a stream, only
/// the events for that key are refused.
/// </remarks>
/// <param name="publisher">Sends the transactions, in the order of all calls.</param>
/// <param name="database">The shared connection.</param>
/// <param name="limit">The maximum size of an event.</param>
/// <param name="time">The clock of the timeouts.</param>
internal sealed class RedisListPublisher(RedisPublisher publisher, IDatabase database, RedisSizeLimit limit, TimeProvider time)
{
    public async ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        var entries = new List<(RedisKey, NameValueEntry[])>(batch.Length);
        var indexes = new List<int>(batch.Length);
        var order = default(KeyOrder);
        for (var i = 0; i < batch.Length; i++)
        {
            var envelope = batch.Span[i];
            if (order.IsHeldBack(envelope.Key))
            {
                outcomes.Span[i] = KeyOrder.NotSent;
                continue;
            }

            var problem = publisher.TryWrite(envelope, out var fields);
            if (problem is null && publisher.IsTooLarge(envelope))
            {
                problem = await limit.CheckAsync(envelope, deadline);
            }

            if (problem is not null)
            {
                outcomes.Span[i] = PublishOutcome.Rejected(problem);
                order.HoldBack(envelope.Key);
            }
            else
            {
                entries.Add((publisher.StreamOf(envelope), fields));
                indexes.Add(i);
            }
        }

        if (entries.Count > 0)
        {
            var write = new RedisWriteBatch(entries, together: true, deadline);
            publisher.Send(write);
            await write.Ended;
            var refusals = new Dictionary<RedisKey, PublishOutcome>();
            for (var position = 0; position < indexes.Count; position++)
            {
                var outcome = await write.OutcomeAsync(position);
                if (outcome.Status == PublishStatus.Failed && RedisErrors.IsDiscarded(outcome.Error))
                {
                    var stream = entries[position].Item1;
                    if (!refusals.TryGetValue(stream, out var refusal))
                    {
                        refusal = await WhyDiscardedAsync(stream, outcome, deadline);
                        refusals.Add(stream, refusal);
                    }

                    outcome = refusal;
                }

                outcomes.Span[indexes[position]] = outcome;
            }
        }
    }

    /// <summary>
    /// Finds out whether a stream caused a transaction to be discarded, by adding an entry with an id that every stream
    /// refuses.
    /// </summary>
    private async Task<PublishOutcome> WhyDiscardedAsync(RedisKey stream, PublishOutcome otherwise, CancellationToken deadline)
    {
        try
        {
            await database.ExecuteAsync("XADD", [stream, "NOMKSTREAM", "0-0", "type", "none"])
                .WaitAsync(RedisConnector.Answer, time, deadline);
        }
        catch (RedisServerException exception) when (RedisErrors.IsPermanent(exception))
        {
            return PublishOutcome.Rejected(exception);
        }
        catch (Exception)
        {
            // Redis refused the id, or the error may be temporary: the events of this stream are sent again.
        }

        return otherwise;
    }
}
