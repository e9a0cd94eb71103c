using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Publishes lists of events, each list as one transaction, without other commands in between. Thread-safe.
/// </summary>
/// <remarks>
/// If Redis discards the transaction (memory, rights), no event is stored: the events of a stream that Redis refuses
/// permanently are rejected, and the others fail. If a key is not a stream, only the events for that key are rejected.
/// </remarks>
/// <param name="publisher">Sends the transactions, in the order of all calls.</param>
/// <param name="database">The shared connection.</param>
/// <param name="limit">The maximum size of an event.</param>
/// <param name="time">The clock of the timeouts.</param>
internal sealed class RedisListPublisher(RedisPublisher publisher, IDatabase database, RedisSizeLimit limit, TimeProvider time)
{
    public async ValueTask PublishAsync(ReadOnlyMemory<Envelope> envelopes, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        var entries = new List<(RedisKey Stream, NameValueEntry[] Fields)>(envelopes.Length);

        // For each entry, the index of its event in the list.
        var indexes = new List<int>(envelopes.Length);
        var order = default(KeyOrder);
        for (var i = 0; i < envelopes.Length; i++)
        {
            var envelope = envelopes.Span[i];
            if (order.IsHeldBack(envelope.Key))
            {
                outcomes.Span[i] = KeyOrder.NotSent;
                continue;
            }

            var problem = publisher.Serialize(envelope, out var fields);
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
            var sent = await SendAsync(entries, deadline);
            for (var i = 0; i < indexes.Count; i++)
            {
                outcomes.Span[indexes[i]] = sent[i];
            }
        }
    }

    /// <summary>Sends entries as one transaction, and returns the outcome of each.</summary>
    private async Task<PublishOutcome[]> SendAsync(List<(RedisKey Stream, NameValueEntry[] Fields)> entries, CancellationToken deadline)
    {
        var transaction = new RedisWriteBatch(entries, isTransaction: true, deadline);
        publisher.Send(transaction);
        await transaction.Ended;
        var outcomes = new PublishOutcome[entries.Count];
        var outcomesOfDiscarded = new Dictionary<RedisKey, PublishOutcome>();
        for (var i = 0; i < outcomes.Length; i++)
        {
            outcomes[i] = await transaction.OutcomeAsync(i, publisher.Address);
            if (outcomes[i].Status == PublishStatus.Failed && RedisErrors.IsDiscarded(outcomes[i].Error))
            {
                var stream = entries[i].Stream;
                if (!outcomesOfDiscarded.TryGetValue(stream, out var outcome))
                {
                    outcome = await OutcomeOfDiscardedAsync(stream, outcomes[i], deadline);
                    outcomesOfDiscarded.Add(stream, outcome);
                }

                outcomes[i] = outcome;
            }
        }

        return outcomes;
    }

    /// <summary>
    /// Determines whether a stream caused the transaction to be discarded, by adding an entry with an id that every
    /// stream refuses.
    /// </summary>
    /// <returns>Rejected if Redis refuses the stream permanently; otherwise the given outcome.</returns>
    private async Task<PublishOutcome> OutcomeOfDiscardedAsync(RedisKey stream, PublishOutcome discarded, CancellationToken deadline)
    {
        try
        {
            await database.ExecuteAsync("XADD", [stream, "NOMKSTREAM", "0-0", "type", "none"])
                .WaitAsync(RedisConnector.CommandTimeout, time, deadline);
        }
        catch (RedisServerException exception) when (RedisErrors.IsPermanent(exception))
        {
            return PublishOutcome.Rejected(exception);
        }
        catch (Exception)
        {
            // Redis refused only the id, or the error may be temporary: the events of this stream may be sent again.
        }

        return discarded;
    }
}
