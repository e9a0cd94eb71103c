using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Publishes single events as entries of the streams, in the order of the calls. Events that arrive while many are
/// unanswered are collected and sent in one write, which saves most of the system calls on both sides. Thread-safe.
/// </summary>
internal sealed class RedisPublisher(IDatabase database, RedisTopology names, RedisSizeLimit limit)
{
    // A batch is sent as soon as it has an eighth of the number of unanswered entries. So a single event never waits,
    // events of a steady flow wait for an eighth of a round trip, and the last event of a burst waits for one round
    // trip.
    private const int MaxUnansweredPerEntry = 8;
    private const int MaxBatchEntries = 512;

    private readonly string source = names.Source;

    // The stream of each event name. The size is bounded by the number of event names in the application.
    private readonly ConcurrentDictionary<string, RedisKey> streams = new(StringComparer.Ordinal);

    private readonly Lock gate = new();
    private readonly Queue<RedisWriteBatch> waiting = [];

    // The last waiting batch, as long as entries may be added to it.
    private RedisWriteBatch? openBatch;

    // The number of entries that were sent and not yet answered.
    private int unanswered;

    // True while a caller sends the batches that are due.
    private bool isSending;

    /// <summary>The address of Redis, for errors.</summary>
    public RedisAddress Address => names.Address;

    /// <summary>The streams to which this process has written.</summary>
    public IEnumerable<RedisKey> Streams => streams.Values.Distinct();

    /// <summary>Publishes an event.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="outcomes">Receives the outcome.</param>
    /// <param name="deadline">Cancels the wait, before the event is sent and for the answer.</param>
    // The builder reuses the state of completed calls.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask PublishAsync(Envelope envelope, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        var problem = Serialize(envelope, out var fields);
        if (problem is null && IsTooLarge(envelope))
        {
            problem = await limit.CheckAsync(envelope, deadline);
        }

        if (problem is not null)
        {
            outcomes.Span[0] = PublishOutcome.Rejected(problem);
            return;
        }

        var (batch, position) = Add(StreamOf(envelope), fields, deadline);
        await batch.Ended;
        var outcome = await batch.OutcomeAsync(position, names.Address);
        outcomes.Span[0] = outcome;
    }

    /// <summary>Serializes an event as the fields of an entry.</summary>
    /// <returns>The error if the event cannot be serialized; otherwise null.</returns>
    public EventBusException? Serialize(Envelope envelope, out NameValueEntry[] fields)
    {
        try
        {
            fields = RedisWireFormat.Write(envelope, source);
            return null;
        }
        catch (EventBusException exception)
        {
            fields = [];
            return exception;
        }
    }

    /// <summary>
    /// True if an event is longer than the last known limit of Redis. The limit may have been raised: call
    /// <see cref="RedisSizeLimit.CheckAsync"/> before the event is rejected.
    /// </summary>
    public bool IsTooLarge(Envelope envelope) =>
        envelope.Body.Length >= RedisArgumentLimit.Smallest && limit.IsExceededBy(envelope);

    /// <summary>
    /// Gets the stream of an event. At the first event of a name, also adds the stream to the known streams.
    /// </summary>
    public RedisKey StreamOf(Envelope envelope)
    {
        if (!streams.TryGetValue(envelope.Name, out var stream))
        {
            stream = names.StreamOf(envelope.Name);
            streams[envelope.Name] = stream;

            // Not awaited: if this fails, wildcard subscriptions find the stream by a scan of the keys.
            _ = database.SetAddAsync(names.KnownWords, names.WordOf(stream), CommandFlags.FireAndForget);
        }

        return stream;
    }

    /// <summary>Sends a separate batch, behind the events that were published before.</summary>
    public void Send(RedisWriteBatch batch)
    {
        lock (gate)
        {
            waiting.Enqueue(batch);
            openBatch = null;
        }

        SendDue();
    }

    /// <summary>Sends one entry, together with others.</summary>
    /// <returns>The batch that contains the entry, and its position there.</returns>
    private (RedisWriteBatch Batch, int Position) Add(RedisKey stream, NameValueEntry[] fields, CancellationToken deadline)
    {
        RedisWriteBatch batch;
        int position;
        lock (gate)
        {
            if (unanswered == 0 && waiting.Count == 0)
            {
                // Nothing is in flight, so that this event is sent at once. A later one does not share its batch.
                (batch, position) = (new RedisWriteBatch([(stream, fields)], isTransaction: false, deadline, hasOneWaiter: true), 0);
                waiting.Enqueue(batch);
            }
            else
            {
                if (openBatch is null || openBatch.Deadline != deadline || openBatch.Count == MaxBatchEntries)
                {
                    openBatch = new RedisWriteBatch(new List<(RedisKey, NameValueEntry[])>(), isTransaction: false, deadline);
                    waiting.Enqueue(openBatch);
                }

                batch = openBatch;
                position = batch.Add(stream, fields);
            }
        }

        SendDue();
        return (batch, position);
    }

    /// <summary>
    /// Sends the batches that are due. One caller at a time sends; entries of other callers are collected.
    /// </summary>
    private void SendDue()
    {
        var batch = NextDue(isSender: false);
        while (batch is not null)
        {
            batch.Send(database);

            // Not awaited: it sends the batches that are due when this one is answered.
            _ = ContinueAfterAsync(batch);
            batch = NextDue(isSender: true);
        }
    }

    /// <summary>Takes the next batch that is due; null if there is none, or if another caller sends.</summary>
    /// <param name="isSender">True if the caller has sent the previous batch.</param>
    private RedisWriteBatch? NextDue(bool isSender)
    {
        lock (gate)
        {
            if (isSending && !isSender)
            {
                return null;
            }

            // A batch to which no entries can be added is due. The open one is due when it is large enough.
            var isOnlyOpenBatch = waiting.Count == 1 && openBatch is not null;
            isSending = isOnlyOpenBatch ? unanswered <= openBatch!.Count * MaxUnansweredPerEntry : waiting.Count > 0;
            if (!isSending)
            {
                return null;
            }

            var next = waiting.Dequeue();
            if (openBatch == next)
            {
                openBatch = null;
            }

            unanswered += next.Count;
            return next;
        }
    }

    private async Task ContinueAfterAsync(RedisWriteBatch batch)
    {
        await batch.Ended;
        lock (gate)
        {
            unanswered -= batch.Count;
        }

        SendDue();
    }
}
