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
    // A write is sent as soon as it has an eighth of the number of unanswered entries. So a single event never waits,
    // events of a steady stream wait for an eighth of a round trip, and the last event of a burst waits for one round
    // trip.
    private const int Part = 8;
    private const int MaxEntries = 512;

    private readonly string source = names.Source;

    // The size is bounded by the number of event names in the application.
    private readonly ConcurrentDictionary<string, RedisKey> streams = new(StringComparer.Ordinal);

    private readonly Lock gate = new();
    private readonly Queue<RedisWriteBatch> waiting = [];

    // The last waiting batch, as long as entries may be added to it.
    private RedisWriteBatch? open;
    private int unanswered;
    private bool isSending;

    /// <summary>The streams to which this process has written.</summary>
    public IEnumerable<RedisKey> Streams => streams.Values.Distinct();

    /// <summary>Publishes an event.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="outcomes">Receives the outcome.</param>
    /// <param name="deadline">Cancels the wait for the turn and for the answer.</param>
    // Reuses the state of publish calls.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask PublishAsync(Envelope envelope, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        var problem = TryWrite(envelope, out var fields);
        if (problem is null && IsTooLarge(envelope))
        {
            problem = await limit.CheckAsync(envelope, deadline);
        }

        if (problem is not null)
        {
            outcomes.Span[0] = PublishOutcome.Rejected(problem);
            return;
        }

        var (write, position) = Add(StreamOf(envelope), fields, deadline);
        await write.Ended;
        var outcome = await write.OutcomeAsync(position);
        outcomes.Span[0] = outcome;
    }

    /// <summary>Serializes an event as the fields of an entry.</summary>
    /// <returns>The error if the event cannot be serialized; otherwise null.</returns>
    public EventBusException? TryWrite(Envelope envelope, out NameValueEntry[] fields)
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
    /// True if an event is longer than the last known limit of Redis, so that the limit has to be asked again.
    /// </summary>
    public bool IsTooLarge(Envelope envelope) =>
        envelope.Body.Length >= RedisArgumentLimit.Smallest && limit.IsExceededBy(envelope);

    public RedisKey StreamOf(Envelope envelope)
    {
        if (!streams.TryGetValue(envelope.Name, out var stream))
        {
            stream = names.StreamOf(envelope.Name);
            streams[envelope.Name] = stream;

            // Done once, without waiting: a subscription that misses it finds the stream by a scan of the keys.
            _ = database.SetAddAsync(names.KnownWords, names.WordOf(stream), CommandFlags.FireAndForget);
        }

        return stream;
    }

    /// <summary>Sends a separate batch, behind the events that were published before.</summary>
    public void Send(RedisWriteBatch write)
    {
        lock (gate)
        {
            waiting.Enqueue(write);
            open = null;
        }

        SendDue();
    }

    /// <summary>Sends one entry, together with others.</summary>
    /// <returns>The batch that contains the entry, and its position there.</returns>
    private (RedisWriteBatch Write, int Position) Add(RedisKey stream, NameValueEntry[] fields, CancellationToken deadline)
    {
        (RedisWriteBatch, int) added;
        lock (gate)
        {
            if (open is null || open.Deadline != deadline || open.Count == MaxEntries)
            {
                open = new RedisWriteBatch(new List<(RedisKey, NameValueEntry[])>(), together: false, deadline);
                waiting.Enqueue(open);
            }

            added = (open, open.Add(stream, fields));
        }

        SendDue();
        return added;
    }

    /// <summary>
    /// Sends the batches that are due. One caller at a time sends; entries of other callers are collected.
    /// </summary>
    private void SendDue()
    {
        var write = NextDue(isSender: false);
        while (write is not null)
        {
            write.Send(database);

            // Not awaited: it sends the batches that are due when this one is answered.
            _ = ContinueAfterAsync(write);
            write = NextDue(isSender: true);
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

            // A batch to which no entries can be added is due. The last one is also due when it is large enough.
            var isDue = waiting.Count > 1 || (waiting.Count == 1 && (open is null || open.Count * Part >= unanswered));
            isSending = isDue;
            if (!isSending)
            {
                return null;
            }

            var next = waiting.Dequeue();
            if (open == next)
            {
                open = null;
            }

            unanswered += next.Count;
            return next;
        }
    }

    private async Task ContinueAfterAsync(RedisWriteBatch write)
    {
        await write.Ended;
        lock (gate)
        {
            unanswered -= write.Count;
        }

        SendDue();
    }
}
