using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Publishes events as entries of the streams. Thread-safe.</summary>
internal sealed class RedisPublisher(IDatabase database, RedisTopology names, RedisSizeLimit limit)
{
    private readonly RedisWriteQueue writes = new(database);

    // The size is bounded by the number of event names in the application.
    private readonly ConcurrentDictionary<string, RedisKey> streams = new(StringComparer.Ordinal);

    /// <summary>The streams to which this process has written.</summary>
    public IEnumerable<RedisKey> Streams => streams.Values.Distinct();

    public ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        if (deadline.IsCancellationRequested)
        {
            outcomes.Span.Fill(PublishOutcome.Failed(new TimeoutException("The time was up before the event was sent.")));
            return ValueTask.CompletedTask;
        }

        return batch.Length == 1 ? PublishOneAsync(batch.Span[0], outcomes, deadline) : PublishTogetherAsync(batch, outcomes, deadline);
    }

    // Reuses the state of publish calls.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask PublishOneAsync(Envelope envelope, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        var problem = TryWrite(envelope, out var fields);
        if (problem is not null || (limit.IsExceededBy(envelope) && (problem = await limit.CheckAsync(envelope, deadline)) is not null))
        {
            outcomes.Span[0] = PublishOutcome.Rejected(problem);
            return;
        }

        var (write, position) = writes.Add(StreamOf(envelope), fields, deadline);
        await write.Ended;
        var outcome = await write.OutcomeAsync(position);
        outcomes.Span[0] = outcome;
    }

    /// <summary>
    /// Sends a batch as one transaction, without other commands in between. If Redis refuses the transaction as a whole
    /// (memory, rights), all events are refused. If a key is not a stream, only the events for that key are refused.
    /// </summary>
    private async ValueTask PublishTogetherAsync(
        ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
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
            }
            else if ((TryWrite(envelope, out var fields)
                ?? (limit.IsExceededBy(envelope) ? await limit.CheckAsync(envelope, deadline) : null)) is { } problem)
            {
                outcomes.Span[i] = PublishOutcome.Rejected(problem);
                order.HoldBack(envelope.Key);
            }
            else
            {
                entries.Add((StreamOf(envelope), fields));
                indexes.Add(i);
            }
        }

        if (entries.Count > 0)
        {
            var write = new RedisWriteBatch(entries, together: true, deadline);
            writes.Add(write);
            await write.Ended;
            var refusals = new Dictionary<RedisKey, PublishOutcome>();
            for (var position = 0; position < indexes.Count; position++)
            {
                var outcome = await write.OutcomeAsync(position);
                if (outcome.Status == PublishStatus.Failed && RedisErrors.IsDiscarded(outcome.Error))
                {
                    var stream = entries[position].Item1;
                    outcome = refusals.TryGetValue(stream, out var known)
                        ? known
                        : refusals[stream] = await WhyDiscardedAsync(stream, outcome, deadline);
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
                .WaitAsync(RedisConnector.Answer, names.Time, deadline);
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

    /// <summary>Serializes an event as the fields of an entry.</summary>
    /// <returns>The error if the event cannot be serialized; otherwise null.</returns>
    private EventBusException? TryWrite(Envelope envelope, out NameValueEntry[] fields)
    {
        try
        {
            fields = RedisWireFormat.Write(envelope, names.Source);
            return null;
        }
        catch (EventBusException exception)
        {
            fields = [];
            return exception;
        }
    }

    private RedisKey StreamOf(Envelope envelope)
    {
        if (!streams.TryGetValue(envelope.Name, out var stream))
        {
            streams[envelope.Name] = stream = names.StreamOf(envelope.Name);

            // Done once, without waiting: a subscription that misses it finds the stream by a scan of the keys.
            _ = database.SetAddAsync(names.KnownWords, names.WordOf(stream), CommandFlags.FireAndForget);
        }

        return stream;
    }
}
